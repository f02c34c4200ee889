package invoke_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/amqprpc/describe"
	"github.com/bbebcec1/amqprpc-go/cmd/amqprpc/internal/invoke"
	"github.com/bbebcec1/amqprpc-go/cmd/amqprpc/internal/testbroker"
	"github.com/bbebcec1/amqprpc-go/codec"
)

type order struct {
	Item  string            `json:"item"`
	Count int64             `json:"count"`
	Price float64           `json:"price,omitempty"`
	Tags  map[string]string `json:"tags,omitempty"`
}

// serve starts a server, and returns a client of the same broker.
func serve(t *testing.T, register func(*amqprpc.Server), opts ...amqprpc.ServerOption) *amqprpc.Client {
	t.Helper()
	url := testbroker.URL(t, nodeURL)
	srv := amqprpc.NewServer(url, append(opts, amqprpc.WithLogger(nil))...)
	register(srv)
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ctx) }()
	t.Cleanup(func() { stop(); require.NoError(t, <-served) })
	select {
	case <-srv.Ready():
	case err := <-served:
		served <- nil
		t.Fatal(err)
	}
	if srv.Instance() != "" {
		testbroker.Found(t, url, srv)
	}
	cli, err := amqprpc.Dial(t.Context(), url, amqprpc.WithLogger(nil))
	require.NoError(t, err)
	t.Cleanup(func() { cli.Close() })
	return cli
}

func transient() amqprpc.HandlerOption {
	return amqprpc.WithQueue(amqprpc.Queue{Expires: time.Minute})
}

func describedAs(t *testing.T, m describe.Method) *invoke.Method {
	t.Helper()
	out, err := invoke.Of(m)
	require.NoError(t, err)
	return out
}

// A request has the same meaning in both codecs, to the last digit.
func TestCallInBothCodecs(t *testing.T) {
	t.Parallel()
	for _, c := range []codec.Codec{codec.JSON{}, codec.MsgPack{}} {
		t.Run(strings.TrimPrefix(c.ContentType(), "application/"), func(t *testing.T) {
			t.Parallel()
			queue := testbroker.Queue(t, "")
			cli := serve(t, func(srv *amqprpc.Server) {
				amqprpc.Register(srv, queue, func(ctx context.Context, o order) (order, error) {
					req, _ := amqprpc.RequestFromContext(ctx)
					amqprpc.ReplyHeader(ctx)["content-type"] = req.ContentType()
					return o, nil
				}, amqprpc.WithAcceptedCodecs(c), transient())
			})
			m := describedAs(t, describe.Method{Queue: queue, Codecs: []string{c.ContentType()}})
			const request = `{"item":"tea\u0000<&>","count":9007199254740993,"price":2.5,"tags":{"a":"ü"}}`
			r, err := invoke.Call(t.Context(), cli, m, json.RawMessage(request), invoke.Options{})
			require.NoError(t, err)
			require.JSONEq(t, request, string(r.Response))
			require.Contains(t, string(r.Response), "9007199254740993")
			require.Equal(t, c.ContentType(), r.Header["content-type"])
			require.True(t, r.Timing.Known)
			require.Positive(t, r.Timing.Handler)
			require.LessOrEqual(t, r.Timing.Sent+r.Timing.Queued+r.Timing.Handler+r.Timing.Back, r.Timing.Total)
		})
	}
}

func TestValuesAsMessagePack(t *testing.T) {
	t.Parallel()
	for _, text := range []string{`null`, `true`, `"a"`, `0`, `-1`, `18446744073709551615`, `-9223372036854775808`, `1.5`, `1e300`, `[]`, `{}`, `[[{"a":[1,"2",null]}]]`} {
		b, err := codec.MsgPack{}.Marshal(invoke.Value(text))
		require.NoError(t, err, text)
		var back invoke.Value
		require.NoError(t, codec.MsgPack{}.Unmarshal(b, &back), text)
		if text != "null" { // a nil leaves the zero value, which is null
			require.JSONEq(t, text, string(back))
		}
	}
	var v invoke.Value
	b, err := codec.MsgPack{}.Marshal(map[string]any{"b": []byte{1, 2}})
	require.NoError(t, err)
	require.NoError(t, codec.MsgPack{}.Unmarshal(b, &v))
	require.JSONEq(t, `{"b":"AQI="}`, string(v))
}

func TestOfRefusesForeignCodecs(t *testing.T) {
	t.Parallel()
	_, err := invoke.Of(describe.Method{Queue: "q", Codecs: []string{"application/protobuf"}})
	require.ErrorContains(t, err, "application/protobuf")
	require.Equal(t, amqprpc.CodeUnimplemented, amqprpc.CodeOf(err))
	for _, accepted := range [][]string{nil, {"application/protobuf", "application/JSON; charset=utf-8"}, {"application/x-msgpack"}} {
		_, err := invoke.Of(describe.Method{Queue: "q", Codecs: accepted})
		require.NoError(t, err, accepted)
	}
}

const orderSchema = `{"type":"object","properties":{"item":{"type":"string","minLength":1},"count":{"type":"integer","minimum":1}},"required":["item"]}`

func TestBadRequestsAreNotSent(t *testing.T) {
	t.Parallel()
	queue := testbroker.Queue(t, "")
	var got []order
	cli := serve(t, func(srv *amqprpc.Server) {
		amqprpc.Register(srv, queue, func(_ context.Context, o order) (int, error) { got = append(got, o); return 1, nil }, transient())
	})
	m := describedAs(t, describe.Method{Queue: queue, Request: describe.Message{Schema: json.RawMessage(orderSchema)}})
	for request, want := range map[string]string{
		`{"item":1}`:              "/item",
		`{"count":1}`:             "item",
		`{"item":"","count":0.5}`: "/count",
		`[]`:                      "object",
		`{`:                       "not JSON",
		``:                        "empty",
		`{} {}`:                   "not JSON",
	} {
		_, err := invoke.Call(t.Context(), cli, m, json.RawMessage(request), invoke.Options{})
		require.ErrorContains(t, err, want, request)
		f := invoke.FailureOf(err)
		require.Equal(t, "invalid_argument", f.Code)
		require.Equal(t, "not-sent", f.Outcome)
		require.NotEmpty(t, f.Problems)
	}
	require.Empty(t, got)
	_, err := invoke.Call(t.Context(), cli, m, json.RawMessage(`{"count":0}`), invoke.Options{NoValidate: true})
	require.NoError(t, err)
	require.Equal(t, []order{{}}, got)
}

// A number beyond a limit is shown with all its digits, so that it does not look like the limit.
func TestProblemsShowNumbers(t *testing.T) {
	t.Parallel()
	for _, tc := range [][3]string{
		{`{"maximum":18446744073709551615}`, `18446744073709551616`, "got 18446744073709551616, want at most 18446744073709551615"},
		{`{"minimum":-2147483648}`, `-2147483649`, "got -2147483649, want at least -2147483648"},
		{`{"exclusiveMaximum":10000000000}`, `10000000000`, "got 10000000000, want less than 10000000000"},
		{`{"exclusiveMinimum":0.5}`, `0.25`, "got 0.25, want more than 0.5"},
		{`{"multipleOf":1000}`, `1001`, "got 1001, want a multiple of 1000"},
		{`{"maximum":1}`, `1e300`, "got 1e+300, want at most 1"},
	} {
		m := describedAs(t, describe.Method{Queue: "q", Request: describe.Message{Schema: json.RawMessage(tc[0])}})
		f := invoke.FailureOf(m.Validate(json.RawMessage(tc[1])))
		require.Equal(t, []invoke.Problem{{Text: tc[2]}}, f.Problems, tc[0])
	}
}

func TestCallOfAForeignQueue(t *testing.T) {
	t.Parallel()
	queue := testbroker.Queue(t, "")
	cli := serve(t, func(srv *amqprpc.Server) {
		amqprpc.Register(srv, queue, func(_ context.Context, n int) (int, error) { return n * n, nil }, transient())
	}, amqprpc.WithoutControl())
	m := invoke.Foreign(queue)
	require.False(t, m.Known())
	require.Error(t, m.Unchecked())
	r, err := invoke.Call(t.Context(), cli, m, json.RawMessage(`12`), invoke.Options{})
	require.NoError(t, err)
	require.Equal(t, "144", string(r.Response))
}

func TestFailureOfAnAnswer(t *testing.T) {
	t.Parallel()
	queue := testbroker.Queue(t, "")
	cli := serve(t, func(srv *amqprpc.Server) {
		amqprpc.Register(srv, queue, func(context.Context, any) (any, error) {
			return nil, amqprpc.Errorf(amqprpc.CodeNotFound, "no tea").WithDetail("shelf", 7).WithRetryAfter(time.Second)
		}, transient())
	})
	_, err := invoke.Call(t.Context(), cli, invoke.Foreign(queue), json.RawMessage(`{}`), invoke.Options{})
	f := invoke.FailureOf(err)
	require.Equal(t, &invoke.Failure{Code: "not_found", Message: "no tea", Outcome: "executed", Remote: true,
		Details: map[string]json.RawMessage{"shelf": json.RawMessage("7")}, RetryAfter: time.Second}, f)
	require.Nil(t, invoke.FailureOf(nil))
	require.Equal(t, "unknown", invoke.FailureOf(errors.New("x")).Code)

	_, err = invoke.Call(t.Context(), cli, invoke.Foreign(queue+".absent"), json.RawMessage(`{}`), invoke.Options{})
	require.Equal(t, "not-executed", invoke.FailureOf(err).Outcome)
}

func TestAllAndInstance(t *testing.T) {
	t.Parallel()
	queue := testbroker.Queue(t, "")
	cli := serve(t, func(srv *amqprpc.Server) {
		amqprpc.Register(srv, queue, func(_ context.Context, n int) (int, error) { return n + 1, nil }, amqprpc.WithBroadcast(), transient())
	})
	var instance string
	for r, err := range invoke.All(t.Context(), cli, invoke.Foreign(queue), json.RawMessage(`1`), invoke.Options{}) {
		require.NoError(t, err)
		require.Equal(t, "2", string(r.Response))
		instance = r.Instance
	}
	require.NotEmpty(t, instance)
	r, err := invoke.Call(t.Context(), cli, invoke.Foreign(queue), json.RawMessage(`2`), invoke.Options{Instance: instance})
	require.NoError(t, err)
	require.Equal(t, "3", string(r.Response))
	require.Equal(t, instance, r.Instance)
	require.NoError(t, invoke.Notify(t.Context(), cli, invoke.Foreign(queue), json.RawMessage(`2`), invoke.Options{}))
}

// serveStreams serves one stream of each kind. Their queues begin with queue.
func serveStreams(t *testing.T, queue string) *amqprpc.Client {
	t.Helper()
	return serve(t, func(srv *amqprpc.Server) {
		amqprpc.RegisterServerStream(srv, queue+".down", func(_ context.Context, n int, out *amqprpc.Sender[order]) error {
			for i := range n {
				if err := out.Send(order{Item: "tea", Count: int64(i)}); err != nil {
					return err
				}
			}
			return amqprpc.CodeNotFound
		}, transient())
		amqprpc.RegisterClientStream(srv, queue+".up", func(_ context.Context, in *amqprpc.Receiver[order]) (int64, error) {
			var sum int64
			for o, err := range in.All() {
				if err != nil {
					return 0, err
				}
				sum += o.Count
			}
			return sum, nil
		}, transient())
		amqprpc.RegisterBidiStream(srv, queue+".both", func(_ context.Context, in *amqprpc.Receiver[order], out *amqprpc.Sender[int64]) error {
			for o, err := range in.All() {
				if err != nil {
					return err
				}
				if err := out.Send(o.Count); err != nil {
					return err
				}
			}
			return nil
		}, transient())
	})
}

func TestStreams(t *testing.T) {
	t.Parallel()
	queue := testbroker.Queue(t, "")
	cli := serveStreams(t, queue)
	var items []string
	var last error
	for v, err := range invoke.ServerStream(t.Context(), cli, invoke.Foreign(queue+".down"), json.RawMessage(`2`), invoke.Options{}) {
		if last = err; err == nil {
			items = append(items, string(v))
		}
	}
	require.ErrorIs(t, last, amqprpc.CodeNotFound)
	require.Equal(t, []string{`{"item":"tea","count":0}`, `{"item":"tea","count":1}`}, items)

	schema := describe.Message{Schema: json.RawMessage(orderSchema)}
	up := describedAs(t, describe.Method{Queue: queue + ".up", Request: schema})
	r, err := invoke.ClientStream(t.Context(), cli, up, rows(`{"item":"a","count":1}`, `{"item":"b","count":2}`), invoke.Options{})
	require.NoError(t, err)
	require.Equal(t, "3", string(r.Response))
	_, err = invoke.ClientStream(t.Context(), cli, up, rows(`{"item":"a","count":1}`, `{"item":2}`), invoke.Options{})
	require.ErrorContains(t, err, "/item")
	require.Len(t, invoke.FailureOf(err).Problems, 1)
}

func TestOpenStreams(t *testing.T) {
	t.Parallel()
	queue := testbroker.Queue(t, "")
	cli := serveStreams(t, queue)
	schema := describe.Message{Schema: json.RawMessage(orderSchema)}
	up := describedAs(t, describe.Method{Queue: queue + ".up", Request: schema})
	bidi, err := invoke.OpenBidi(t.Context(), cli, describedAs(t, describe.Method{Queue: queue + ".both", Request: schema}), invoke.Options{})
	require.NoError(t, err)
	defer bidi.Close()
	require.ErrorContains(t, bidi.Send(json.RawMessage(`{}`)), "item")
	require.NoError(t, bidi.Send(json.RawMessage(`{"item":"a","count":5}`)))
	v, err := bidi.Recv()
	require.NoError(t, err)
	require.Equal(t, "5", string(v))
	require.NoError(t, bidi.CloseSend())
	_, err = bidi.Recv()
	require.ErrorIs(t, err, io.EOF)

	upload, err := invoke.OpenUpload(t.Context(), cli, up, invoke.Options{})
	require.NoError(t, err)
	defer upload.Cancel()
	require.NoError(t, upload.Send(json.RawMessage(`{"item":"a","count":5}`)))
	v, err = upload.CloseAndRecv()
	require.NoError(t, err)
	require.Equal(t, "5", string(v))
}

func rows(texts ...string) iter.Seq2[json.RawMessage, error] {
	return func(yield func(json.RawMessage, error) bool) {
		for _, text := range texts {
			if !yield(json.RawMessage(text), nil) {
				return
			}
		}
	}
}

// A schema from a stranger costs nothing but the validation.
func TestHostileSchemas(t *testing.T) {
	t.Parallel()
	var shared strings.Builder // 2^40 checks of one value
	shared.WriteString(`{"$ref":"#/$defs/a0","$defs":{"a40":{"type":"string"}`)
	for i := range 40 {
		next, _ := json.Marshal(map[string]any{"$ref": "#/$defs/a" + string(rune('0'+(i+1)/10)) + string(rune('0'+(i+1)%10))})
		name := "a" + string(rune('0'+i/10)) + string(rune('0'+i%10))
		shared.WriteString(`,"` + name + `":{"allOf":[` + string(next) + `,` + string(next) + `]}`)
	}
	shared.WriteString(`}}`)
	for name, schema := range map[string]string{
		"no schema":      `7`,
		"not JSON":       `{`,
		"wrong keyword":  `{"type":5}`,
		"a file":         `{"$ref":"file:///etc/hostname"}`,
		"an address":     `{"$ref":"http://127.0.0.1:1/x"}`,
		"a metaschema":   `{"$schema":"http://127.0.0.1:1/x"}`,
		"nowhere":        `{"$ref":"#/$defs/none"}`,
		"bad regexp":     `{"pattern":"(a{1000}){1000}"}`,
		"large":          `{"description":"` + strings.Repeat("x", 2<<20) + `"}`,
		"exponential":    strings.ReplaceAll(shared.String(), `a0"`, `a00"`),
		"deep":           strings.Repeat(`{"not":`, 20_000) + `{}` + strings.Repeat(`}`, 20_000),
		"endless":        `{"$ref":"#"}`,
		"endless by all": `{"allOf":[{"$ref":"#"}]}`,
	} {
		m, err := invoke.Of(describe.Method{Queue: "q", Request: describe.Message{Schema: json.RawMessage(schema)}})
		require.NoError(t, err, name)
		err = m.Validate(json.RawMessage(`{"a":1}`))
		if m.Unchecked() == nil {
			require.Error(t, err, name)
			require.Less(t, len(err.Error()), 2000, name)
		} else {
			require.NoError(t, err, name)
			require.Less(t, len(m.Unchecked().Error()), 2000, name)
		}
	}
}
