package schema_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/amqprpc/describe"
	"github.com/bbebcec1/amqprpc-go/amqprpc/discovery"
	"github.com/bbebcec1/amqprpc-go/codec"
	"github.com/bbebcec1/amqprpc-go/schema"
)

// envNode is the variable with the path of Node. NODE_PATH must contain @asyncapi/parser. If
// the variable is set, as in CI, a missing Node or parser fails the test.
const envNode = "AMQPRPC_NODE"

// documents are AsyncAPI documents: of a server with every kind of method, of a method for
// each type of these tests, and of servers that may say anything.
func documents(t *testing.T) map[string][]byte {
	t.Helper()
	all := make(map[string][]byte)
	var err error
	all["shop"], err = discovery.AsyncAPI(shop())
	require.NoError(t, err)

	of := func(typ reflect.Type) describe.Message {
		text, err := schema.Of(typ)
		require.NoError(t, err)
		return describe.Message{Type: typ.String(), Schema: text}
	}
	var types describe.Info
	for i, typ := range append([]reflect.Type{reflect.TypeFor[everything](), reflect.TypeFor[note](), reflect.TypeFor[price](), reflect.TypeFor[recursive](), reflect.TypeFor[map[int]tree]()}, leaves...) {
		types.Methods = append(types.Methods, describe.Method{Queue: fmt.Sprintf("types.%d", i), Request: of(typ), Response: of(reflect.PointerTo(typ))})
	}
	all["types"], err = discovery.AsyncAPIOf(types)
	require.NoError(t, err)

	all["nobody"], err = discovery.AsyncAPIOf()
	require.NoError(t, err)
	all["strangers"], err = discovery.AsyncAPIOf(strangers()...)
	require.NoError(t, err)
	all["stranger"], err = discovery.AsyncAPIOf(strangers()[1])
	require.NoError(t, err)
	return all
}

func shop() *amqprpc.Server {
	srv := amqprpc.NewServer("amqp://localhost", amqprpc.WithLogger(nil), amqprpc.WithSchemas(schema.Of),
		amqprpc.WithService(amqprpc.Service{Name: "shop", Version: "1.2.0", Description: "Sells tea.", Metadata: map[string]string{"team": "tea"}}))
	amqprpc.Register(srv, "shop.order", func(context.Context, note) (*tree, error) { return nil, nil },
		amqprpc.WithDoc("Orders tea."), amqprpc.WithBroadcast(),
		amqprpc.WithExample(note{Text: "tea", Tags: []level{"a"}, Shade: "light"}), amqprpc.WithResponseExample(&tree{Value: 1, Children: []*tree{{Value: 2}}}),
		amqprpc.WithErrors(amqprpc.CodeNotFound), amqprpc.WithErrorDetails(amqprpc.CodeOutOfRange, part{3}))
	amqprpc.Register(srv, "shop/close?", func(context.Context, amqprpc.None) (amqprpc.None, error) { return amqprpc.None{}, nil }, amqprpc.WithAtMostOnce())
	amqprpc.Register(srv, "shop.binary", func(context.Context, note) (note, error) { return note{}, nil }, amqprpc.WithAcceptedCodecs(codec.MsgPack{}))
	amqprpc.RegisterServerStream(srv, "shop.prices", func(context.Context, note, *amqprpc.Sender[part]) error { return nil }, amqprpc.WithErrors(amqprpc.CodeAborted))
	amqprpc.RegisterClientStream(srv, "shop.import", func(context.Context, *amqprpc.Receiver[note]) (part, error) { return part{}, nil })
	amqprpc.RegisterBidiStream(srv, "shop.chat", func(context.Context, *amqprpc.Receiver[note], *amqprpc.Sender[part]) error { return nil })
	return srv
}

func strangers() []describe.Info {
	odd := describe.Message{Type: "<b>\x1b[31m{}", Example: json.RawMessage(`[{"$ref":"https://example.com/z"}]`), Schema: json.RawMessage(`{"$id":"https://example.com/x","type":"object","properties":{"$ref":{"$ref":"https://example.com/y"},"default":{"$ref":"#/$defs/a~1b"}},"$defs":{"a/b":true,"$ref":true},"enum":[{"$ref":"https://example.com/w"}],"default":{"$ref":5}}`)}
	method := func(queue, kind string, m describe.Message) describe.Method {
		return describe.Method{Queue: queue, Kind: kind, Doc: "<script>\x00", Request: m, Response: m, Errors: []describe.Error{
			{Code: `"odd"/code`, Details: json.RawMessage("true")}, {Code: `"odd"/code`, Details: json.RawMessage("[")},
		}}
	}
	var all []describe.Info
	for i, queue := range []string{"", "a{b}c", "a?b", "a#b", "a/b", "a~b", "größe", "\x00\xff", "a b", "${x}", "$message.header#/x"} {
		info := describe.Info{Identity: describe.Identity{Name: queue, Version: queue, Started: time.Unix(int64(i), 0)}, Description: "x\n# y", Metadata: map[string]string{"": "", "$ref": "https://example.com/m"}}
		info.Methods = []describe.Method{
			method(queue, describe.KindUnary, odd), method(queue+".reply", "", describe.Message{Type: "x", Schema: json.RawMessage("false")}),
			method("same", "no such kind", describe.Message{Schema: json.RawMessage(`[]`)}), method(queue+".s", describe.KindBidiStream, describe.Message{Type: queue, Schema: json.RawMessage("5")}),
		}
		all = append(all, info)
	}
	return all
}

// The parser of AsyncAPI finds no errors in the documents.
func TestAsyncAPIParser(t *testing.T) {
	t.Parallel()
	node := os.Getenv(envNode)
	if node == "" {
		t.Skipf("%s is not set: it names Node for the parser of AsyncAPI", envNode)
	}
	good := documents(t)
	bad := bytes.Replace(good["shop"], []byte(`"#/components/schemas/Error"`), []byte(`"#/components/schemas/NoSuchThing"`), 1)
	require.NotEqual(t, good["shop"], bad)
	input, err := json.Marshal([]map[string][]byte{good, {"bad": bad}})
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, node, "testdata/asyncapi.js")
	cmd.Stdin, cmd.Stderr = bytes.NewReader(input), os.Stderr
	output, err := cmd.Output()
	require.NoError(t, err)
	var errs []map[string][]any
	require.NoError(t, json.Unmarshal(output, &errs), "%s", output)
	require.Len(t, errs, 2)
	require.Len(t, errs[0], len(good))
	for name, errs := range errs[0] {
		require.Empty(t, errs, name)
	}
	require.NotEmpty(t, errs[1]["bad"], "the parser sees no error")
}
