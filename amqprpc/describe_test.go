package amqprpc_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/amqprpc/describe"
	"github.com/bbebcec1/amqprpc-go/codec"
)

type describedOrder struct{ ID int }

type describedDetail struct{ Field string }

// A server describes itself and its methods, without any broker.
func TestDescribe(t *testing.T) {
	t.Parallel()
	metadata := map[string]string{"team": "shop"}
	srv := amqprpc.NewServer("amqp://nowhere", amqprpc.WithService(amqprpc.Service{Name: "shop", Version: "1.4", Description: "sells", Metadata: metadata}))
	metadata["team"] = "changed"
	amqprpc.Register(srv, "order", func(_ context.Context, o describedOrder) (string, error) { return "", nil },
		amqprpc.WithDoc("Orders."), amqprpc.WithExample(describedOrder{7}), amqprpc.WithResponseExample("a-7"),
		amqprpc.WithErrors(amqprpc.CodeNotFound, amqprpc.CodeAborted, amqprpc.CodeNotFound),
		amqprpc.WithErrorDetails(amqprpc.CodeAborted, describedDetail{"id"}),
		amqprpc.WithConcurrency(3), amqprpc.WithPrefetch(5), amqprpc.WithAtMostOnce(), amqprpc.WithBroadcast(),
		amqprpc.WithMaxDeliveries(-1), amqprpc.WithHandlerTimeout(time.Second))
	amqprpc.Register(srv, "none", func(context.Context, amqprpc.None) (amqprpc.None, error) { return amqprpc.None{}, nil }, amqprpc.WithAcceptedCodecs(codec.MsgPack{}))
	amqprpc.RegisterServerStream(srv, "down", func(_ context.Context, _ int, _ *amqprpc.Sender[string]) error { return nil }, amqprpc.WithMaxStreams(2))
	amqprpc.RegisterClientStream(srv, "up", func(context.Context, *amqprpc.Receiver[int]) (string, error) { return "", nil })
	amqprpc.RegisterBidiStream(srv, "both", func(context.Context, *amqprpc.Receiver[int], *amqprpc.Sender[string]) error { return nil })

	d, err := srv.Describe()
	require.NoError(t, err)
	host, _ := os.Hostname()
	require.Equal(t, describe.Identity{Type: describe.TypeInfo, Instance: srv.Instance(), Name: "shop", Version: "1.4", Host: host, PID: os.Getpid(), Started: d.Started}, d.Identity)
	require.WithinDuration(t, time.Now(), d.Started, time.Minute)
	require.Equal(t, "sells", d.Description)
	require.Equal(t, map[string]string{"team": "shop"}, d.Metadata)
	require.Equal(t, runtime.Version(), d.Build.Go)
	require.Equal(t, "github.com/bbebcec1/amqprpc-go", d.Build.Module)
	require.NotEmpty(t, d.Build.Library)

	both := []string{"application/json", "application/msgpack"}
	stream := func(queue, kind string, m describe.Method) describe.Method {
		m.Queue, m.Kind, m.Codecs, m.Delivery = queue, kind, both, describe.AtLeastOnce
		m.Request.Type, m.Response.Type = "int", "string"
		return m
	}
	require.Equal(t, []describe.Method{
		stream("both", describe.KindBidiStream, describe.Method{Prefetch: 64, MaxStreams: 1024}),
		stream("down", describe.KindServerStream, describe.Method{Prefetch: 1, MaxStreams: 2}),
		{Queue: "none", Kind: describe.KindUnary, Codecs: both[1:], Delivery: describe.AtLeastOnce, Concurrency: 128, Prefetch: 128, MaxDeliveries: 3, TimeoutMS: 25 * 60_000},
		{
			Queue: "order", Kind: describe.KindUnary, Doc: "Orders.",
			Request:  describe.Message{Type: "amqprpc_test.describedOrder", Example: json.RawMessage(`{"ID":7}`)},
			Response: describe.Message{Type: "string", Example: json.RawMessage(`"a-7"`)},
			Errors:   []describe.Error{{Code: "not_found"}, {Code: "aborted", Details: json.RawMessage(`{"examples":[{"Field":"id"}]}`)}},
			Codecs:   both, Delivery: describe.AtMostOnce, Broadcast: true, Concurrency: 3, Prefetch: 5, TimeoutMS: 1000,
		},
		stream("up", describe.KindClientStream, describe.Method{Prefetch: 64, MaxStreams: 1024}),
	}, d.Methods)
	d.Metadata["team"] = "changed"
	again, err := srv.Describe()
	require.NoError(t, err)
	require.Equal(t, "shop", again.Metadata["team"])
}

// Without options, a server has the name of its program.
func TestDescribeByDefault(t *testing.T) {
	t.Parallel()
	srv := amqprpc.NewServer("amqp://nowhere", amqprpc.WithoutControl())
	d, err := srv.Describe()
	require.NoError(t, err)
	require.Equal(t, filepath.Base(os.Args[0]), d.Name)
	require.Empty(t, d.Instance)
	text, err := json.Marshal(d)
	require.NoError(t, err)
	require.Contains(t, string(text), `"methods":[]`)

	_, err = amqprpc.NewServer("amqp://nowhere", amqprpc.WithAllowedReplyTo("[")).Describe()
	require.ErrorIs(t, err, amqprpc.CodeInvalidArgument)
}

// The generator of schemas is called once for each type, and may fail in every way.
func TestSchemas(t *testing.T) {
	t.Parallel()
	log := &testLog{}
	var mu sync.Mutex
	calls := make(map[reflect.Type]int)
	srv := amqprpc.NewServer("amqp://nowhere", amqprpc.WithLogger(log.logger()), amqprpc.WithSchemas(func(typ reflect.Type) (json.RawMessage, error) {
		mu.Lock()
		defer mu.Unlock()
		calls[typ]++
		switch typ.Kind() {
		case reflect.Int:
			return nil, errors.New("no ints")
		case reflect.String:
			panic("no strings")
		case reflect.Bool:
			return json.RawMessage(`{"type":`), nil
		case reflect.Float64:
			return nil, nil
		case reflect.Slice:
			return json.RawMessage(`true`), nil
		default:
			return json.RawMessage(`{"type":"object"}`), nil
		}
	}))
	amqprpc.Register(srv, "1", func(context.Context, int) (string, error) { return "", nil }, amqprpc.WithErrorDetails(amqprpc.CodeAborted, describedDetail{"a"}))
	amqprpc.Register(srv, "2", func(context.Context, bool) (float64, error) { return 0, nil }, amqprpc.WithErrorDetails(amqprpc.CodeAborted, []int{1}), amqprpc.WithErrorDetails(amqprpc.CodeNotFound, nil))
	amqprpc.Register(srv, "3", func(context.Context, describedOrder) (int, error) { return 0, nil })
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			d, err := srv.Describe()
			require.NoError(t, err)
			require.Nil(t, d.Methods[0].Request.Schema)
			require.Nil(t, d.Methods[0].Response.Schema)
			require.JSONEq(t, `{"type":"object","examples":[{"Field":"a"}]}`, string(d.Methods[0].Errors[0].Details))
			require.Nil(t, d.Methods[1].Request.Schema)
			require.Nil(t, d.Methods[1].Response.Schema)
			require.JSONEq(t, `{"examples":[[1]]}`, string(d.Methods[1].Errors[0].Details))
			require.JSONEq(t, `{"examples":[null]}`, string(d.Methods[1].Errors[1].Details))
			require.JSONEq(t, `{"type":"object"}`, string(d.Methods[2].Request.Schema))
			_, err = json.Marshal(d)
			require.NoError(t, err)
		})
	}
	all.Wait()
	for typ, n := range calls {
		require.Equal(t, 1, n, typ)
	}
	require.Equal(t, 4, strings.Count(log.String(), "WithSchemas has failed"), log)
}

// Register panics on documentation that cannot be right.
func TestRegisterDocumentation(t *testing.T) {
	t.Parallel()
	register := func(queue string, opts ...amqprpc.HandlerOption) func() {
		return func() { amqprpc.Register(amqprpc.NewServer("amqp://nowhere"), queue, square, opts...) }
	}
	for want, opt := range map[string]amqprpc.HandlerOption{
		"WithExample:":         amqprpc.WithExample(make(chan int)),
		"WithResponseExample:": amqprpc.WithResponseExample(func() {}),
		"WithErrorDetails:":    amqprpc.WithErrorDetails(amqprpc.CodeAborted, make(chan int)),
		`"no_such_code"`:       amqprpc.WithErrors("no_such_code"),
		`"ok"`:                 amqprpc.WithErrors(amqprpc.CodeOK),
	} {
		require.Contains(t, panicOf(register("q", opt)), want)
	}
	require.Contains(t, panicOf(register(amqprpc.DiscoverQueue)), "reserved")
	require.Contains(t, panicOf(func() {
		amqprpc.RegisterServerStream(amqprpc.NewServer("amqp://nowhere"), amqprpc.DiscoverQueue, func(context.Context, int, *amqprpc.Sender[int]) error { return nil })
	}), "reserved")
}

// panicOf returns the text of f's panic.
func panicOf(f func()) (text string) {
	defer func() { text, _ = recover().(string) }()
	f()
	return ""
}
