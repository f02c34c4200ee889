package docs_test

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
)

// The operations page's table has every log line of the engine, with its level.
func TestLogsOfThePage(t *testing.T) {
	t.Parallel()
	rows := regexp.MustCompile(`(?m)^\| (info|warn|error) \| (.*)$`).FindAllSubmatch(pages(t)["docs/operations.md"], -1)
	said := func(level, message string) bool {
		for _, row := range rows {
			if string(row[1]) == level && strings.Contains(string(row[2]), "`"+message+"`") {
				return true
			}
		}
		return false
	}
	files, err := filepath.Glob("../amqprpc/*.go")
	require.NoError(t, err)
	call := regexp.MustCompile(`log\.(Info|Warn|Error)\("amqprpc: ([^"]+)"`)
	n := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, m := range call.FindAllSubmatch(text, -1) {
			n++
			level := strings.ToLower(string(m[1]))
			assert.True(t, said(level, string(m[2])), "%s: %s %q is not in the table", file, level, m[2])
		}
	}
	assert.NotZero(t, n)
}

// The operations page's tables have every counter.
func TestCountersOfThePage(t *testing.T) {
	t.Parallel()
	page := string(pages(t)["docs/operations.md"])
	for _, stats := range []any{amqprpc.ServerStats{}, amqprpc.ClientStats{}} {
		for _, f := range reflect.VisibleFields(reflect.TypeOf(stats)) {
			assert.Contains(t, page, "\n| `"+f.Name+"` |", "%T", stats)
		}
	}
}
