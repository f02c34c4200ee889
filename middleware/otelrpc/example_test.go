package otelrpc_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/propagation"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
	"github.com/bbebcec1/amqprpc-go/middleware"
	"github.com/bbebcec1/amqprpc-go/middleware/otelrpc"
)

// serve runs srv in the background until stop is called.
func serve(srv *amqprpc.Server) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- srv.Serve(ctx) }()
	<-srv.Ready()
	return func() {
		cancel()
		if err := <-done; err != nil {
			fmt.Println(err)
		}
	}
}

// printTree prints spans below their parents.
func printTree(spans tracetest.SpanStubs) {
	slices.SortFunc(spans, func(a, b tracetest.SpanStub) int { return a.StartTime.Compare(b.StartTime) })
	var below func(parent string, indent string)
	below = func(parent, indent string) {
		for _, s := range spans {
			if s.Parent.SpanID().String() != parent {
				continue
			}
			code, _ := set(s.Attributes).Value("rpc.status_code")
			fmt.Println(strings.TrimRight(fmt.Sprintf("%s%s (%s) %s", indent, s.Name, s.SpanKind, code.AsString()), " "))
			below(s.SpanContext.SpanID().String(), indent+"  ")
		}
	}
	below("0000000000000000", "")
}

func set(attrs []attribute.KeyValue) *attribute.Set {
	s := attribute.NewSet(attrs...)
	return &s
}

// A trace of a call that goes on to another service, and is retried there.
func ExampleMiddleware() {
	broker := amqptest.NewBroker()
	defer broker.Close()

	// An exporter in memory stands for the one of your tracing system.
	spans := tracetest.NewInMemoryExporter()
	tracers := sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans))
	mw := amqprpc.WithMiddleware(otelrpc.Middleware(
		otelrpc.WithTracerProvider(tracers),
		otelrpc.WithPropagator(propagation.TraceContext{}),
	))

	ctx := context.Background()
	inner, err := amqprpc.Dial(ctx, broker.URL(), amqprpc.WithLogger(nil), mw, amqprpc.WithMiddleware(retryOnce))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer inner.Close()
	srv := amqprpc.NewServer(broker.URL(), amqprpc.WithLogger(nil), mw)
	amqprpc.Register(srv, "stock", func(ctx context.Context, item string) (int, error) {
		if r, _ := amqprpc.RequestFromContext(ctx); r.Attempt() == 1 {
			return 0, amqprpc.Errorf(amqprpc.CodeUnavailable, "the shelf is being filled")
		}
		return 3, nil
	})
	amqprpc.Register(srv, "orders", func(ctx context.Context, item string) (string, error) {
		n, err := amqprpc.Call[string, int](ctx, inner, "stock", item)
		return fmt.Sprintf("%d × %s", n, item), err
	})
	stop := serve(srv)

	cli, err := amqprpc.Dial(ctx, broker.URL(), amqprpc.WithLogger(nil), mw)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer cli.Close()
	fmt.Println(amqprpc.Call[string, string](ctx, cli, "orders", "tea"))
	stop() // all handlers have returned
	printTree(spans.GetSpans())

	// Output:
	// 3 × tea <nil>
	// orders (client) ok
	//   orders (server) ok
	//     stock (client) ok
	//       attempt stock (internal) unavailable
	//       stock (server) unavailable
	//       attempt stock (internal) ok
	//       stock (server) ok
}

// retryOnce is inner middleware that makes a second attempt.
func retryOnce(next amqprpc.Invoker) amqprpc.Invoker {
	return func(ctx context.Context, req *amqprpc.Request) (*amqprpc.Response, error) {
		resp, err := next(ctx, req)
		if amqprpc.CodeOf(err) == amqprpc.CodeUnavailable {
			return next(ctx, req)
		}
		return resp, err
	}
}

// The metrics of a client and a server.
func ExampleMiddleware_metrics() {
	broker := amqptest.NewBroker()
	defer broker.Close()
	reader := sdkmetric.NewManualReader() // stands for the reader of your exporter
	otel.SetMeterProvider(sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)))
	mw := amqprpc.WithMiddleware(otelrpc.Middleware()) // the global providers

	srv := amqprpc.NewServer(broker.URL(), amqprpc.WithLogger(nil), mw)
	amqprpc.Register(srv, "half", func(_ context.Context, n int) (int, error) {
		if n%2 != 0 {
			return 0, amqprpc.Errorf(amqprpc.CodeFailedPrecondition, "%d is odd", n)
		}
		return n / 2, nil
	})
	stop := serve(srv)
	ctx := context.Background()
	cli, err := amqprpc.Dial(ctx, broker.URL(), amqprpc.WithLogger(nil), mw)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer cli.Close()
	for n := range 5 {
		amqprpc.Call[int, int](ctx, cli, "half", n)
	}
	stop()

	var all metricdata.ResourceMetrics
	if err := reader.Collect(ctx, &all); err != nil {
		fmt.Println(err)
	}
	for _, m := range all.ScopeMetrics[0].Metrics {
		for _, p := range m.Data.(metricdata.Histogram[float64]).DataPoints {
			code, _ := p.Attributes.Value("rpc.status_code")
			fmt.Println(m.Name, code.AsString(), p.Count)
		}
	}

	// Unordered output:
	// rpc.client.call.duration ok 3
	// rpc.client.call.duration failed_precondition 2
	// rpc.server.call.duration ok 3
	// rpc.server.call.duration failed_precondition 2
	// amqprpc.server.queue.duration  5
}

// Lines of the log with the ids of their trace.
func ExampleLogAttrs() {
	broker := amqptest.NewBroker()
	defer broker.Close()
	// The example removes what differs from run to run.
	logger := slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			switch a.Key {
			case slog.TimeKey, "id", "duration", "queue_time":
				return slog.Attr{}
			case "trace_id", "span_id":
				return slog.String(a.Key, fmt.Sprintf("(%d digits)", len(a.Value.String())))
			}
			return a
		},
	}))
	srv := amqprpc.NewServer(broker.URL(), amqprpc.WithLogger(nil), amqprpc.WithMiddleware(
		otelrpc.Middleware(otelrpc.WithTracerProvider(sdktrace.NewTracerProvider())),
		middleware.Logging(logger, middleware.WithLogContext(otelrpc.LogAttrs)),
	))
	amqprpc.Register(srv, "half", func(ctx context.Context, n int) (int, error) {
		logger.LogAttrs(ctx, slog.LevelInfo, "halving", otelrpc.LogAttrs(ctx)...)
		return n / 2, nil
	})
	stop := serve(srv)
	ctx := context.Background()
	cli, err := amqprpc.Dial(ctx, broker.URL(), amqprpc.WithLogger(nil))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer cli.Close()
	amqprpc.Call[int, int](ctx, cli, "half", 12)
	stop()

	// Output:
	// level=INFO msg=halving trace_id="(32 digits)" span_id="(16 digits)"
	// level=INFO msg=rpc side=server kind=unary queue=half attempt=1 code=ok trace_id="(32 digits)" span_id="(16 digits)"
}
