package docs_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Every test that guarantees.md names exists.
func TestGuaranteesNameTheirTests(t *testing.T) {
	t.Parallel()
	var code strings.Builder
	for _, dir := range []string{"../amqprpc", "../amqprpc/internal/*", "../amqprpc/internal/testing/faultsuite"} {
		files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
		require.NoError(t, err)
		for _, f := range files {
			text, err := os.ReadFile(f)
			require.NoError(t, err)
			code.Write(text)
		}
	}
	page, err := os.ReadFile("guarantees.md")
	require.NoError(t, err)
	names := regexp.MustCompile("`(Test\\w+)(?:/(\\w+))?`").FindAllStringSubmatch(string(page), -1)
	require.NotEmpty(t, names)
	for _, n := range names {
		require.True(t, strings.Contains(code.String(), "func "+n[1]+"(t *testing.T)"), "there is no %s", n[1])
		require.True(t, n[2] == "" || strings.Contains(code.String(), `t.Run("`+n[2]+`"`), "there is no %s/%s", n[1], n[2])
	}
}

// The table at the end has a row for each promise, and for no other.
func TestEachPromiseHasItsRow(t *testing.T) {
	t.Parallel()
	page := string(pages(t)["docs/guarantees.md"])
	labels := func(pattern string) (all []string) {
		for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(page, -1) {
			all = append(all, m[1])
		}
		return all
	}
	promises := labels(`(?m)^\*\*([A-Z]\d+)\*\* `)
	require.NotEmpty(t, promises)
	require.Equal(t, promises, labels(`(?m)^\| ([A-Z]\d+) \| \S`))
}
