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

// The operations page's table has exactly the lines that the code logs, with their levels.
func TestLogsOfThePage(t *testing.T) {
	t.Parallel()
	type line struct{ level, message string }
	table, code := make(map[line]bool), make(map[line]bool)
	message := regexp.MustCompile("`([^`]+)`")
	for _, row := range regexp.MustCompile(`(?m)^\| (info|warn|error) \| ([^|]*) \|`).FindAllSubmatch(pages(t)["docs/operations.md"], -1) {
		for _, m := range message.FindAllSubmatch(row[2], -1) {
			table[line{string(row[1]), string(m[1])}] = true
		}
	}
	call := regexp.MustCompile(`(?i:\blog)\.(Info|Warn|Error)(?:Context)?\((?:[\w.]+, )?"amqprpc: ([^"]+)"`)
	for _, dir := range []string{"../amqprpc", "../amqprpc/internal/messaging", "../middleware/idempotency"} {
		files, err := filepath.Glob(dir + "/*.go")
		require.NoError(t, err)
		n := len(code)
		for _, file := range files {
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			for _, m := range call.FindAllSubmatch(text, -1) {
				code[line{strings.ToLower(string(m[1])), string(m[2])}] = true
			}
		}
		assert.Greater(t, len(code), n, "nothing is logged in %s", dir)
	}
	for l := range code {
		assert.True(t, table[l], "%s %q is not in the table", l.level, l.message)
	}
	for l := range table {
		assert.True(t, code[l], "%s %q is in the table, and nobody logs it", l.level, l.message)
	}
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
