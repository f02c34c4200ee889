package docs_test

import (
	"bytes"
	"os"
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
