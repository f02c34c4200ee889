package docs_test

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc/describe"
)

// The documents on the protocol page are what the code reads and writes: each example is read,
// has every member that is not empty, and is written again as it was.
func TestDocumentsOfTheProtocolPage(t *testing.T) {
	t.Parallel()
	documents := map[string]any{describe.TypePing: &describe.Ping{}, describe.TypeInfo: &describe.Info{}, describe.TypeStats: &describe.Stats{}}
	queries := 0
	var shown strings.Builder
	for _, b := range blocks("protocol.md", pages(t)["docs/protocol.md"]) {
		var id describe.Identity
		if b.lang != "json" || json.Unmarshal([]byte(b.text), &id) != nil || !strings.HasPrefix(id.Type, "amqprpc.") {
			continue
		}
		d := documents[id.Type]
		if id.Instance == "" {
			queries++
			d = &describe.Query{}
		} else {
			delete(documents, id.Type)
		}
		read := json.NewDecoder(bytes.NewReader([]byte(b.text)))
		read.DisallowUnknownFields()
		require.NoError(t, read.Decode(d), "line %d", b.line)
		text, err := json.Marshal(d)
		require.NoError(t, err)
		require.JSONEq(t, b.text, string(text))
		shown.WriteString(b.text)
	}
	require.Empty(t, documents, "documents without an example")
	require.Equal(t, 1, queries)
	for _, d := range []any{describe.Ping{}, describe.Info{}, describe.Stats{}, describe.Build{}, describe.Method{}, describe.Message{}, describe.Error{}, describe.MethodStats{}, describe.Failure{}, describe.Histogram{}} {
		for _, f := range reflect.VisibleFields(reflect.TypeOf(d)) {
			if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "" {
				require.Contains(t, shown.String(), `"`+name+`":`, "%T", d)
			}
		}
	}
}
