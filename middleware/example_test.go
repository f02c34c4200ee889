package middleware_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
	"github.com/bbebcec1/amqprpc-go/middleware"
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

func ExampleLogging() {
	broker := amqptest.NewBroker()
	defer broker.Close()

	// The example removes the attributes that differ from run to run.
	logger := slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			switch a.Key {
			case slog.TimeKey, "id", "duration", "queue_time":
				return slog.Attr{}
			}
			return a
		},
	}))
	srv := amqprpc.NewServer(broker.URL(), amqprpc.WithLogger(nil),
		amqprpc.WithMiddleware(middleware.Logging(logger)))
	amqprpc.Register(srv, "half", func(_ context.Context, n int) (int, error) {
		if n%2 != 0 {
			return 0, amqprpc.Errorf(amqprpc.CodeFailedPrecondition, "%d is odd", n)
		}
		return n / 2, nil
	})
	defer serve(srv)()

	ctx := context.Background()
	cli, err := amqprpc.Dial(ctx, broker.URL(), amqprpc.WithLogger(nil))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer cli.Close()
	amqprpc.Call[int, int](ctx, cli, "half", 12)
	amqprpc.Call[int, int](ctx, cli, "half", 13)

	// Output:
	// level=INFO msg=rpc side=server kind=unary queue=half attempt=1 code=ok
	// level=WARN msg=rpc side=server kind=unary queue=half attempt=1 code=failed_precondition error="failed_precondition: 13 is odd"
}

// Order is a message that validates itself.
type Order struct {
	Item  string `json:"item"`
	Count int    `json:"count"`
}

func (o Order) Validate() error {
	switch {
	case o.Item == "":
		return errors.New("an order needs an item")
	case o.Count < 1 || o.Count > 100:
		return amqprpc.Errorf(amqprpc.CodeOutOfRange, "%d pieces", o.Count).WithDetail("most", 100)
	}
	return nil
}

func ExampleValidate() {
	broker := amqptest.NewBroker()
	defer broker.Close()

	srv := amqprpc.NewServer(broker.URL(), amqprpc.WithLogger(nil),
		amqprpc.WithMiddleware(middleware.Validate()))
	place := amqprpc.Method[Order, string]("orders")
	place.Register(srv, func(_ context.Context, o Order) (string, error) {
		return fmt.Sprintf("%d × %s", o.Count, o.Item), nil
	})
	defer serve(srv)()

	ctx := context.Background()
	cli, err := amqprpc.Dial(ctx, broker.URL(), amqprpc.WithLogger(nil))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer cli.Close()

	for _, o := range []Order{{"tea", 3}, {"", 3}, {"tea", 1000}} {
		got, err := place.Call(ctx, cli, o)
		if err != nil {
			fmt.Println(err, "|", amqprpc.OutcomeOf(err))
			continue
		}
		fmt.Println(got)
	}

	// The same middleware on the client saves the round trip.
	_, err = place.Call(ctx, cli, Order{}, amqprpc.WithMiddleware(middleware.Validate()))
	fmt.Println(err, "|", amqprpc.OutcomeOf(err))

	// Output:
	// 3 × tea
	// orders: invalid_argument: an order needs an item | not-executed
	// orders: out_of_range: 1000 pieces | not-executed
	// orders: invalid_argument: an order needs an item | not-sent
}

func ExampleTimeout() {
	broker := amqptest.NewBroker()
	defer broker.Close()

	srv := amqprpc.NewServer(broker.URL(), amqprpc.WithLogger(nil))
	amqprpc.Register(srv, "slow", func(ctx context.Context, _ amqprpc.None) (string, error) {
		<-ctx.Done() // stands for a query that takes ctx
		return "", ctx.Err()
	}, amqprpc.WithMiddleware(middleware.Timeout(20*time.Millisecond)))
	defer serve(srv)()

	ctx := context.Background()
	cli, err := amqprpc.Dial(ctx, broker.URL(), amqprpc.WithLogger(nil))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer cli.Close()
	_, err = amqprpc.Call[amqprpc.None, string](ctx, cli, "slow", amqprpc.None{})
	fmt.Println(err)

	// Output:
	// slow: deadline_exceeded: context deadline exceeded (time limit of 20ms)
}

func ExampleRetry() {
	broker := amqptest.NewBroker()
	defer broker.Close()

	// A server that is still warming up refuses its first two requests.
	warm := 0
	srv := amqprpc.NewServer(broker.URL(), amqprpc.WithLogger(nil))
	amqprpc.Register(srv, "stock", func(_ context.Context, item string) (int, error) { return len(item), nil },
		amqprpc.WithMiddleware(func(next amqprpc.Invoker) amqprpc.Invoker {
			return func(ctx context.Context, req *amqprpc.Request) (*amqprpc.Response, error) {
				if warm++; warm <= 2 {
					return nil, amqprpc.Errorf(amqprpc.CodeUnavailable, "warming up").WithRetryAfter(5 * time.Millisecond)
				}
				return next(ctx, req)
			}
		}))
	defer serve(srv)()

	ctx := context.Background()
	retry := middleware.Retry(
		middleware.WithRetryPauses(10*time.Millisecond, time.Second),
		middleware.WithRetryObserver(func(_ context.Context, req *amqprpc.Request, err error, _ time.Duration) {
			fmt.Printf("attempt %d: %v (%v)\n", req.Attempt(), err, amqprpc.OutcomeOf(err))
		}),
	)
	cli, err := amqprpc.Dial(ctx, broker.URL(), amqprpc.WithLogger(nil), amqprpc.WithMiddleware(retry))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer cli.Close()
	fmt.Println(amqprpc.Call[string, int](ctx, cli, "stock", "tea"))

	// Output:
	// attempt 1: stock: unavailable: warming up (not-executed)
	// attempt 2: stock: unavailable: warming up (not-executed)
	// 3 <nil>
}

func ExampleHedge() {
	broker := amqptest.NewBroker()
	defer broker.Close()

	// The handler of each first attempt hangs, as on a server that swaps.
	srv := amqprpc.NewServer(broker.URL(), amqprpc.WithLogger(nil))
	amqprpc.Register(srv, "price", func(ctx context.Context, item string) (int, error) {
		if req, _ := amqprpc.RequestFromContext(ctx); req.Attempt() == 1 {
			<-ctx.Done()
			return 0, ctx.Err()
		}
		return 350, nil
	}, amqprpc.WithHandlerTimeout(time.Second))
	defer serve(srv)()

	ctx := context.Background()
	hedge := middleware.Hedge(
		middleware.WithHedgeDelay(20*time.Millisecond), // without it: the 95th percentile of the queue
		middleware.WithHedgeBudget(1),                  // without it: a tenth of the calls
		middleware.WithHedgeObserver(func(_ context.Context, _ *amqprpc.Request, secondWon bool) {
			fmt.Println("second attempt won:", secondWon)
		}),
	)
	cli, err := amqprpc.Dial(ctx, broker.URL(), amqprpc.WithLogger(nil), amqprpc.WithMiddleware(hedge))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer cli.Close()
	fmt.Println(amqprpc.Call[string, int](ctx, cli, "price", "tea", amqprpc.WithIdempotent()))

	// Output:
	// second attempt won: true
	// 350 <nil>
}

// Two requests of each tenant may come at once, and then one a second.
func ExampleRateLimit() {
	broker := amqptest.NewBroker()
	defer broker.Close()

	tenant := func(_ context.Context, req *amqprpc.Request) string { return req.Header()["tenant"] }
	srv := amqprpc.NewServer(broker.URL(), amqprpc.WithLogger(nil),
		amqprpc.WithMiddleware(middleware.RateLimit(1, 2, middleware.WithLimitKey(tenant))))
	amqprpc.Register(srv, "report", func(context.Context, amqprpc.None) (string, error) { return "done", nil })
	defer serve(srv)()

	ctx := context.Background()
	cli, err := amqprpc.Dial(ctx, broker.URL(), amqprpc.WithLogger(nil))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer cli.Close()
	for _, tenant := range []string{"blue", "blue", "blue", "red"} {
		_, err := amqprpc.Call[amqprpc.None, string](ctx, cli, "report", amqprpc.None{}, amqprpc.WithHeader("tenant", tenant))
		again, _ := amqprpc.RetryAfter(err)
		fmt.Println(tenant, amqprpc.CodeOf(err), again.Round(time.Second))
	}

	// Output:
	// blue ok 0s
	// blue ok 0s
	// blue resource_exhausted 1s
	// red ok 0s
}

func ExampleConcurrencyLimit() {
	broker := amqptest.NewBroker()
	defer broker.Close()

	tenant := func(_ context.Context, req *amqprpc.Request) string { return req.Header()["tenant"] }
	started, release := make(chan bool), make(chan bool)
	srv := amqprpc.NewServer(broker.URL(), amqprpc.WithLogger(nil),
		amqprpc.WithMiddleware(middleware.ConcurrencyLimit(1, middleware.WithLimitKey(tenant))))
	amqprpc.Register(srv, "report", func(_ context.Context, name string) (string, error) {
		started <- true
		<-release
		return name, nil
	})
	defer serve(srv)()

	ctx := context.Background()
	cli, err := amqprpc.Dial(ctx, broker.URL(), amqprpc.WithLogger(nil))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer cli.Close()
	first := amqprpc.Go[string, string](ctx, cli, "report", "first", amqprpc.WithHeader("tenant", "blue"))
	<-started
	fmt.Println(amqprpc.Call[string, string](ctx, cli, "report", "second", amqprpc.WithHeader("tenant", "blue")))
	close(release)
	fmt.Println(first.Await(ctx))

	// Output:
	//  report: resource_exhausted: 1 requests run at once already
	// first <nil>
}
