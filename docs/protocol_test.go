package docs_test

import (
	"bytes"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The listings of docs/protocol.md are the programs that the tests of amqprpc run. They are
// as short as the page promises.
func TestListingsOfTheProtocolPage(t *testing.T) {
	t.Parallel()
	var listings []block
	for _, b := range blocks("protocol.md", pages(t)["docs/protocol.md"]) {
		if b.lang == "python" {
			listings = append(listings, b)
		}
	}
	files := []string{"client.py", "server.py"}
	require.Len(t, listings, len(files))
	for i, file := range files {
		text, err := os.ReadFile("../examples/foreign/" + file)
		require.NoError(t, err)
		require.Equal(t, string(text), listings[i].text, file)
	}
	for _, file := range append(files, "client.mjs") {
		text, err := os.ReadFile("../examples/foreign/" + file)
		require.NoError(t, err)
		require.Less(t, bytes.Count(text, []byte("\n")), 100, file)
	}
}

// rowsUnder returns the cells of the first table below a heading, without the table's head.
func rowsUnder(t *testing.T, page, heading string) [][]string {
	t.Helper()
	_, rest, found := strings.Cut(page, "\n"+heading+"\n")
	require.True(t, found, heading)
	var rows [][]string
	for line := range strings.Lines(rest) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "|") {
			if rows != nil {
				break
			}
			continue
		}
		cells := strings.Split(strings.Trim(line, "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		rows = append(rows, cells)
	}
	require.Greater(t, len(rows), 2, heading)
	return rows[2:]
}

// The tables of failures say of each row whether it is core, and have codes and outcomes
// that exist.
func TestTablesOfFailuresAreComplete(t *testing.T) {
	t.Parallel()
	page := string(pages(t)["docs/protocol.md"])
	names := regexp.MustCompile("`([a-z_-]+)`")
	codes := map[string]bool{}
	_, list, _ := strings.Cut(page, "`code` is one of")
	list, _, _ = strings.Cut(list, "They mean")
	for _, m := range names.FindAllStringSubmatch(list, -1) {
		codes[m[1]] = true
	}
	require.Len(t, codes, 16)
	hasCodes := func(cell string) {
		t.Helper()
		all := names.FindAllStringSubmatch(cell, -1)
		require.NotEmpty(t, all, cell)
		for _, m := range all {
			require.True(t, codes[m[1]], m[1])
		}
	}
	for _, row := range rowsUnder(t, page, "## What a client reports") {
		require.Len(t, row, 4, row)
		require.Regexp(t, "^(core(,.*)?|optional)$", row[1])
		if row[2] == "as the headers say" {
			require.Equal(t, row[2], row[3])
			continue
		}
		hasCodes(row[2])
		require.Contains(t, []string{"`executed`", "`not-executed`", "`unknown`"}, row[3])
	}
	for i, row := range rowsUnder(t, page, "## The order of a server's checks") {
		require.Len(t, row, 4, row)
		require.Equal(t, strconv.Itoa(i+1), row[0])
		require.Regexp(t, "^(core|optional)$", row[2])
		if !strings.HasPrefix(row[3], "rejected") {
			hasCodes(row[3])
		}
	}
}
