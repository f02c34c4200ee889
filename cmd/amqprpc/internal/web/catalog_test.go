package web

import (
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
	"github.com/bbebcec1/amqprpc-go/amqprpc/describe"
)

func info(id, service, version string, methods ...describe.Method) describe.Info {
	return describe.Info{Identity: describe.Identity{Type: describe.TypeInfo, Instance: id, Name: service, Version: version}, Methods: methods}
}

func all[T any](docs ...T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, d := range docs {
			if !yield(d, nil) {
				return
			}
		}
	}
}

func methodOf(queue, schema string) describe.Method {
	return describe.Method{Queue: queue, Kind: describe.KindUnary, Codecs: []string{"application/json"}, Request: describe.Message{Schema: json.RawMessage(schema)}}
}

// What most instances say of a method is shown, and that others say something else.
func TestCatalog(t *testing.T) {
	t.Parallel()
	old, next := methodOf("a.b", `{"type":"string"}`), methodOf("a.b", `{"type":"integer"}`)
	c := gather(func(yield func(describe.Info, error) bool) {
		for _, i := range []describe.Info{info("1", "a", "1.1", next), info("2", "a", "1.0", old), info("3", "a", "1.0", old), info("4", "b", "")} {
			if !yield(i, nil) {
				return
			}
		}
		yield(describe.Info{}, errors.New("instance 5: garbage"))
	})
	require.Equal(t, 4, c.Instances)
	require.Equal(t, []string{"instance 5: garbage"}, c.Faults)
	require.Len(t, c.Services, 2)
	require.Equal(t, map[string]int{"1.0": 2, "1.1": 1}, c.Services[0].Versions)
	require.Equal(t, []string{"a.b"}, c.Services[0].Methods)
	require.Empty(t, c.Services[1].Methods)
	require.Len(t, c.Methods, 1)
	require.JSONEq(t, `{"type":"string"}`, string(c.Methods[0].Request.Schema))
	require.True(t, c.Methods[0].Differs)
	require.Equal(t, 3, c.Methods[0].Count)
	require.Equal(t, []string{"a"}, c.Methods[0].Services)
}

// size returns how large the answer is.
func size(t *testing.T, c *catalog) int {
	t.Helper()
	b, err := json.Marshal(c)
	require.NoError(t, err)
	return len(b)
}

func TestTenThousandInstances(t *testing.T) {
	t.Parallel()
	c := gather(func(yield func(describe.Info, error) bool) {
		for i := range 10_000 {
			if !yield(info(fmt.Sprint(i), "shop", fmt.Sprint(i), methodOf("a.b", `{}`)), nil) {
				return
			}
		}
	})
	require.Equal(t, 10_000, c.Services[0].Count)
	require.Len(t, c.Services[0].Instances, maxInstances)
	require.Len(t, c.Services[0].Versions, maxFaults)
	require.Equal(t, 10_000, c.Methods[0].Count)
	require.Less(t, size(t, c), 200_000)
}

// An instance that says 100 MB costs the page no more than its bounds.
func TestHugeInfo(t *testing.T) {
	t.Parallel()
	huge := strings.Repeat("é\u202e\x1b[31m<script>", 100<<20/20)
	m := methodOf("a.b", `"`+strings.ReplaceAll(huge, "\x1b", "")+`"`)
	m.Doc, m.Kind, m.Codecs, m.Request.Type = huge, huge, []string{huge}, huge
	m.Errors = []describe.Error{{Code: huge, Details: m.Request.Schema}}
	i := info(huge, huge, huge, m, methodOf(huge, `{}`))
	i.Description, i.Host, i.Metadata = huge, huge, map[string]string{huge: huge}
	c := gather(all(i))
	require.True(t, c.Methods[0].Oversized)
	require.Len(t, c.Methods, 1, "no broker has a queue with such a name")
	require.Equal(t, 1, c.Omitted)
	require.Less(t, size(t, c), 100_000)
	require.True(t, utf8.ValidString(c.Services[0].Name))
}

// Many of everything, each as large as it may be, stay within the bounds of the whole.
func TestManyLargeInfos(t *testing.T) {
	t.Parallel()
	schema := func(n int) string { return fmt.Sprintf(`{"n":%d,"x":"%s"}`, n, strings.Repeat("x", maxDocument-40)) }
	c := gather(func(yield func(describe.Info, error) bool) {
		for i := range 300 {
			shared := methodOf("shared", schema(i))
			for range 30 {
				shared.Errors = append(shared.Errors, describe.Error{Code: "internal", Details: json.RawMessage(schema(i))})
			}
			methods := []describe.Method{shared}
			for j := range 3 {
				methods = append(methods, methodOf(fmt.Sprintf("q.%d.%d", i, j), schema(i)))
			}
			if !yield(info(fmt.Sprint(i), fmt.Sprint("service ", i), "", methods...), nil) {
				return
			}
		}
		for range 100 {
			yield(describe.Info{}, errors.New("garbage"))
		}
	})
	require.Len(t, c.Services, maxServices)
	require.LessOrEqual(t, len(c.Methods), maxMethods)
	require.Len(t, c.Faults, maxFaults)
	require.Positive(t, c.Omitted)
	require.Less(t, size(t, c), maxDocuments+2<<20)
}

func TestDepth(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{
		``: 0, `1`: 0, `[]`: 1, `{"a":[{}]}`: 3, `"[[["`: 0, `["\"[",[]]`: 2, `["\\",[[]]]`: 3, `{"]":[],"[":[]}`: 2,
	} {
		require.Equal(t, want, depth(json.RawMessage(text)), text)
	}
	deep := methodOf("q", strings.Repeat("[", maxDepth+1)+strings.Repeat("]", maxDepth+1))
	c := gather(all(info("1", "a", "", deep)))
	require.True(t, c.Methods[0].Oversized)
	require.Empty(t, c.Methods[0].Request.Schema)
}

// Garbage is no reason to fail, and is not passed on as JSON.
func TestGarbageInfo(t *testing.T) {
	t.Parallel()
	m := methodOf("q", `{"broken`)
	m.Request.Example, m.Errors = json.RawMessage("\xff"), []describe.Error{{Code: "\xff\x00", Details: json.RawMessage("}")}}
	c := gather(all(info("", "", "\xff", m, describe.Method{}, m)))
	require.Equal(t, "(no name)", c.Services[0].Name)
	require.NotZero(t, size(t, c))
}

// Without a connection the page says so at once.
func TestNoConnection(t *testing.T) {
	t.Parallel()
	b := amqptest.Start(t)
	p := New(Config{Client: dial(t, b.URL())})
	require.NoError(t, b.Close())
	require.Eventually(t, func() bool { _, ok := p.connection(); return !ok }, 10*time.Second, 5*time.Millisecond)
	s := serve(t, p)
	resp, err := s.Client().Get(s.URL + "/api/catalog")
	require.NoError(t, err)
	c := decode[catalog](t, resp, http.StatusOK)
	require.False(t, c.Connected)
	require.Equal(t, b.Addr(), c.Broker)
	resp, err = s.Client().Get(s.URL + "/api/stats")
	require.NoError(t, err)
	decode[map[string]any](t, resp, http.StatusServiceUnavailable)
}
