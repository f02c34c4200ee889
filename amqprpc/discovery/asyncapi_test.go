package discovery_test

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"net/url"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/amqprpc/describe"
	"github.com/bbebcec1/amqprpc-go/amqprpc/discovery"
	"github.com/bbebcec1/amqprpc-go/codec"
)

type item struct {
	Name string `json:"name"`
}

// itemSchema is a generator for the one type of these tests.
func itemSchema(t reflect.Type) (json.RawMessage, error) {
	return json.RawMessage(`{"$schema":"x","title":"` + t.String() + `","type":"object","properties":{"name":{"$ref":"#/$defs/name"}},"$defs":{"name":{"type":"string"}}}`), nil
}

func register(s *amqprpc.Server) {
	amqprpc.Register(s, "items.get", func(_ context.Context, i item) (item, error) { return i, nil },
		amqprpc.WithDoc("Gets an item."), amqprpc.WithExample(item{"tea"}),
		amqprpc.WithErrors(amqprpc.CodeAborted), amqprpc.WithErrorDetails(amqprpc.CodeNotFound, item{"coffee"}))
	amqprpc.RegisterBidiStream(s, "items/{watch}", func(context.Context, *amqprpc.Receiver[item], *amqprpc.Sender[item]) error { return nil })
	amqprpc.Register(s, "items.close", func(context.Context, amqprpc.None) (amqprpc.None, error) { return amqprpc.None{}, nil },
		amqprpc.WithAtMostOnce(), amqprpc.WithAcceptedCodecs(codec.JSON{}))
}

// A server without a broker describes its methods as it should. The whole document is in
// testdata.
func TestAsyncAPIOfAServer(t *testing.T) {
	t.Parallel()
	server := func() *amqprpc.Server {
		s := amqprpc.NewServer("amqp://guest:secret@localhost", amqprpc.WithLogger(nil), amqprpc.WithSchemas(itemSchema),
			amqprpc.WithService(amqprpc.Service{Name: "items", Version: "1.2.3", Description: "Has items.", Metadata: map[string]string{"team": "tea"}}))
		register(s)
		return s
	}
	text, err := discovery.AsyncAPI(server())
	require.NoError(t, err)
	golden, err := os.ReadFile("testdata/asyncapi.json")
	require.NoError(t, err)
	require.Equal(t, string(golden), string(text))
	again, err := discovery.AsyncAPI(server())
	require.NoError(t, err)
	require.Equal(t, string(text), string(again), "of another server of the same program")
	require.NotContains(t, string(text), "secret")
}

func TestAsyncAPIOfABrokenServer(t *testing.T) {
	t.Parallel()
	s := amqprpc.NewServer("amqp://localhost", amqprpc.WithAllowedReplyTo("["))
	_, want := s.Describe()
	require.Error(t, want)
	_, err := discovery.AsyncAPI(s)
	require.Equal(t, want, err)
}

// asyncAPI is what these tests read of a document.
type asyncAPI struct {
	Info     struct{ Title, Version, Description string }
	Channels map[string]struct {
		Address  *string
		Messages map[string]struct {
			Title, Description, ContentType string
			Payload                         json.RawMessage
		}
	}
	Operations map[string]struct {
		Title, Description string
		Facts              struct {
			Service string
			Others  []struct {
				Service, Version string
				Instances        int
				Fields           []string
			}
		} `json:"x-amqprpc"`
	}
	Components struct{ Schemas map[string]json.RawMessage }
}

// parsed returns the document of the descriptions, after it has resolved every reference.
func parsed(t *testing.T, infos ...describe.Info) (d asyncAPI) {
	t.Helper()
	text, err := discovery.AsyncAPIOf(infos...)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &d))
	var parts any
	require.NoError(t, json.Unmarshal(text, &parts))
	resolve(t, parts, parts)
	return d
}

func resolve(t *testing.T, root, v any) {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			resolve(t, root, e)
		}
	case map[string]any:
		for name, e := range v {
			if name == "$ref" {
				pointer, ok := strings.CutPrefix(e.(string), "#/")
				require.True(t, ok, e)
				pointer, err := url.PathUnescape(pointer)
				require.NoError(t, err)
				target := root
				for part := range strings.SplitSeq(pointer, "/") {
					inner, ok := target.(map[string]any)[strings.NewReplacer("~1", "/", "~0", "~").Replace(part)]
					require.True(t, ok, e)
					target = inner
				}
			}
			resolve(t, root, e)
		}
	}
}

func info(name, version string, methods ...describe.Method) describe.Info {
	return describe.Info{Identity: describe.Identity{Name: name, Version: version, Instance: name + version}, Description: "The " + name + ".", Methods: methods}
}

func call(queue, doc, schema string) describe.Method {
	m := describe.Message{Type: "shop.Order", Schema: json.RawMessage(schema)}
	return describe.Method{Queue: queue, Kind: describe.KindUnary, Doc: doc, Request: m, Response: m, Codecs: []string{"application/json"}}
}

func TestAsyncAPIOfNobody(t *testing.T) {
	t.Parallel()
	d := parsed(t)
	require.Equal(t, "amqprpc", d.Info.Title)
	require.Equal(t, "0.0.0", d.Info.Version)
	require.Empty(t, d.Channels)
	require.Empty(t, d.Components.Schemas)
}

// The newest version of a method counts, and the document says how the others differ, in
// whatever order they come.
func TestNewestDescriptionCounts(t *testing.T) {
	t.Parallel()
	const old, present = `{"type":"string"}`, `{"type": "object"}`
	started := time.Unix(1, 0)
	infos := []describe.Info{
		info("shop", "1.10.0", call("order", "new", present)),
		info("shop", "1.9.0", call("order", "old", old), call("gone", "gone", old)),
		info("shop", "1.9.0", call("order", "old", old)),
		info("shop", "1.10.0-rc.1", call("order", "new", `{"type":"object"}`)), // other white space only
		info("till", "0.1", call("order", "new", old)),
	}
	infos[2].Instance, infos[3].Started = "another", started
	var first string
	for i := range 20 {
		rand.Shuffle(len(infos), func(i, j int) { infos[i], infos[j] = infos[j], infos[i] })
		text, err := discovery.AsyncAPIOf(infos...)
		require.NoError(t, err)
		if i == 0 {
			first = string(text)
		}
		require.Equal(t, first, string(text))
	}
	d := parsed(t, infos...)
	require.Equal(t, "shop, till", d.Info.Title)
	require.Equal(t, "0.0.0", d.Info.Version)
	require.Equal(t, "- shop 1.10.0: The shop.\n- till 0.1: The till.", d.Info.Description)
	op := d.Operations["order"]
	require.Equal(t, "new\n\nSome servers of this queue describe it differently:\n- shop 1.9.0, 2 servers: doc, request, response\n- till 0.1, 1 server: request, response", op.Description)
	require.Equal(t, "shop", op.Facts.Service)
	require.Len(t, op.Facts.Others, 2)
	require.Equal(t, 2, op.Facts.Others[0].Instances)
	require.JSONEq(t, present, string(d.Components.Schemas["shop.Order_2"]))
	require.Equal(t, "gone", d.Operations["gone"].Description)
	require.JSONEq(t, old, string(d.Components.Schemas["shop.Order"]), "the old one is the schema of the other queue")

	// Of one version, the server that started last counts.
	late := info("shop", "1.10.0", call("order", "late", present))
	late.Started = started
	require.Contains(t, parsed(t, append(infos, late)...).Operations["order"].Description, "late\n\n")
}

// Each field of a method that callers depend on is compared.
func TestDifferencesOfDescriptions(t *testing.T) {
	t.Parallel()
	for field, change := range map[string]func(*describe.Method){
		"kind":       func(m *describe.Method) { m.Kind = describe.KindServerStream },
		"doc":        func(m *describe.Method) { m.Doc = "other" },
		"request":    func(m *describe.Method) { m.Request.Schema = nil },
		"response":   func(m *describe.Method) { m.Response.Schema = json.RawMessage("true") },
		"errors":     func(m *describe.Method) { m.Errors = []describe.Error{{Code: "aborted"}} },
		"codecs":     func(m *describe.Method) { m.Codecs = append(m.Codecs, "text/plain") },
		"delivery":   func(m *describe.Method) { m.Delivery = describe.AtMostOnce },
		"broadcast":  func(m *describe.Method) { m.Broadcast = true },
		"timeout_ms": func(m *describe.Method) { m.TimeoutMS = 5 },
		"":           func(m *describe.Method) { m.Concurrency, m.Prefetch, m.Request.Type = 5, 6, "other" },
	} {
		other := call("order", "doc", `{}`)
		other.Codecs = slices.Clone(other.Codecs)
		change(&other)
		others := parsed(t, info("shop", "2", call("order", "doc", `{}`)), info("shop", "1", other)).Operations["order"].Facts.Others
		if field == "" {
			require.Empty(t, others)
			continue
		}
		require.Len(t, others, 1, field)
		require.Equal(t, []string{field}, others[0].Fields)
	}
	a, b := call("order", "", ""), call("order", "", "")
	a.Request.Schema, b.Request.Schema, b.Request.Type = nil, nil, "shop.Other"
	require.Len(t, parsed(t, info("shop", "2", a), info("shop", "1", b)).Operations["order"].Facts.Others, 1, "without schemas, the types count")
}

// Whatever servers say, the document is one whose references resolve.
func TestAsyncAPIOfStrangers(t *testing.T) {
	t.Parallel()
	var infos []describe.Info
	for i, text := range []string{"", "a b", "a/b", "a{b}", "a?b", "$ref", "~1", "größe", "\x00\xff", strings.Repeat("x", 70_000), "<script>", "#/components", "order.reply", "order"} {
		m := describe.Message{Type: text, Schema: json.RawMessage(text), Example: json.RawMessage(text)}
		linked := describe.Message{Type: text, Schema: json.RawMessage(`{"$ref":"https://example.com"}`), Example: json.RawMessage(`{"$ref":5}`)}
		e := []describe.Error{{Code: text, Details: json.RawMessage(text)}, {Code: text, Details: json.RawMessage("{}")}}
		infos = append(infos, describe.Info{
			Identity: describe.Identity{Name: text, Version: text, Started: time.Unix(int64(i), 0)}, Description: text, Metadata: map[string]string{"$ref": text},
			Methods: []describe.Method{
				{Queue: text, Kind: text, Doc: text, Request: m, Response: linked, Errors: e, Codecs: []string{text}},
				{Queue: text, Kind: describe.KindClientStream, Request: linked, Response: m},
				{Queue: text + ".reply", Request: linked, Response: m, Errors: e},
			},
		})
	}
	d := parsed(t, infos...)
	for id := range d.Channels {
		require.Regexp(t, `^[A-Za-z0-9_.-]+$`, id)
	}
	require.Nil(t, d.Channels["a_b_3"].Address, "parameters in an address")
	require.Equal(t, "a/b", *d.Channels["a_b_2"].Address)
	for i := range infos {
		require.NotEmpty(t, parsed(t, infos[i]).Info.Title)
	}
}

// A method that takes no JSON has no schema, and one whose schema is bad says so.
func TestMessagesWithoutSchema(t *testing.T) {
	t.Parallel()
	packed := call("packed", "", `{}`)
	packed.Codecs = []string{"application/msgpack"}
	both := call("both", "", `{}`)
	both.Codecs = []string{"application/msgpack", "Application/JSON; charset=utf-8"}
	unknown := call("unknown", "", `{}`)
	unknown.Request.Schema = nil
	d := parsed(t, info("shop", "1", packed, both, unknown, call("bad", "", `[]`)))
	require.Equal(t, "application/msgpack", d.Channels["packed"].Messages["request"].ContentType)
	require.Nil(t, d.Channels["packed"].Messages["request"].Payload)
	require.Equal(t, "application/json", d.Channels["both"].Messages["request"].ContentType)
	require.NotNil(t, d.Channels["both"].Messages["request"].Payload)
	require.Nil(t, d.Channels["unknown"].Messages["request"].Payload)
	require.Equal(t, "shop.Order", d.Channels["unknown"].Messages["request"].Title)
	require.Nil(t, d.Channels["bad"].Messages["request"].Payload)
	require.Equal(t, "The server's schema is left out: it is no JSON Schema", d.Channels["bad"].Messages["request"].Description)
}

// A document of live servers is that of the servers themselves.
func TestAsyncAPIOfLiveServers(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), unique(t)
	srv, _ := serve(t, url, func(s *amqprpc.Server) {
		amqprpc.Register(s, queue, func(_ context.Context, i item) (item, error) { return i, nil }, amqprpc.WithDoc("Gets an item."))
	}, amqprpc.WithSchemas(itemSchema))
	want, err := discovery.AsyncAPI(srv)
	require.NoError(t, err)
	cli := dial(t, url)
	found(t, cli, srv)
	var infos []describe.Info
	for i, err := range discovery.Info(testContext(t), cli, discovery.OfQueue(queue)) {
		require.NoError(t, err)
		infos = append(infos, i)
	}
	got, err := discovery.AsyncAPIOf(infos...)
	require.NoError(t, err)
	require.Equal(t, string(want), string(got))
}
