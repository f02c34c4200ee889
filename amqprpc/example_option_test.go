package amqprpc_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
	"github.com/bbebcec1/amqprpc-go/codec"
)

func ExampleReplyHeader() {
	cli, closeAll := connected(func(srv *amqprpc.Server) {
		amqprpc.Register(srv, "double", func(ctx context.Context, n int) (int, error) {
			amqprpc.ReplyHeader(ctx)["served-by"] = "number 7"
			if n < 0 {
				return 0, amqprpc.Errorf(amqprpc.CodeOutOfRange, "%d is below zero", n)
			}
			return 2 * n, nil
		})
	})
	defer closeAll()
	var h amqprpc.Header
	n, err := amqprpc.Call[int, int](context.Background(), cli, "double", 21, amqprpc.WithReplyHeader(&h))
	fmt.Println(n, err, h["served-by"])
	_, err = amqprpc.Call[int, int](context.Background(), cli, "double", -1, amqprpc.WithReplyHeader(&h))
	fmt.Println(err, h["served-by"])
	// Output:
	// 42 <nil> number 7
	// double: out_of_range: -1 is below zero number 7
}

func ExampleWithReplyHeader() {
	cli, closeAll := connected(func(srv *amqprpc.Server) { Fib.Register(srv, fib) })
	defer closeAll()
	var h amqprpc.Header
	fmt.Println(Fib.Call(context.Background(), cli, 10, amqprpc.WithReplyHeader(&h)))
	fmt.Println(h != nil, len(h)) // this handler sent no metadata
	// Output:
	// 55 <nil>
	// true 0
}

// The server answers in the format of the request.
func ExampleWithCodec() {
	cli, closeAll := connected(func(srv *amqprpc.Server) {
		amqprpc.Register(srv, "format", func(ctx context.Context, _ string) (string, error) {
			req, _ := amqprpc.RequestFromContext(ctx)
			return req.ContentType(), nil
		})
	}, amqprpc.WithCodec(codec.MsgPack{}))
	defer closeAll()
	ctx := context.Background()
	fmt.Println(amqprpc.Call[string, string](ctx, cli, "format", "?"))
	fmt.Println(amqprpc.Call[string, string](ctx, cli, "format", "?", amqprpc.WithCodec(codec.JSON{})))
	// Output:
	// application/msgpack <nil>
	// application/json <nil>
}

func ExampleWithAcceptedCodecs() {
	cli, closeAll := connected(func(srv *amqprpc.Server) {
		Fib.Register(srv, fib, amqprpc.WithAcceptedCodecs(codec.JSON{}))
	})
	defer closeAll()
	_, err := Fib.Call(context.Background(), cli, 10, amqprpc.WithCodec(codec.MsgPack{}))
	fmt.Println(err)
	// Output: rpc_queue: invalid_argument: the content type "application/msgpack" is not accepted; this queue takes application/json
}

func ExampleWithTimeout() {
	cli, closeAll := connected(func(srv *amqprpc.Server) {
		amqprpc.Register(srv, "slow", func(ctx context.Context, _ int) (int, error) {
			<-ctx.Done() // the deadline traveled with the request
			return 0, ctx.Err()
		})
	})
	defer closeAll()
	_, err := amqprpc.Call[int, int](context.Background(), cli, "slow", 1, amqprpc.WithTimeout(50*time.Millisecond))
	fmt.Println(errors.Is(err, amqprpc.CodeDeadlineExceeded))
	// Output: true
}

// If the connection is lost before the confirm, the client resends the request under the same
// id. Without the option, the call would end with an unknown outcome.
func ExampleWithIdempotent() {
	broker := amqptest.NewBroker()
	defer broker.Close()
	started, release := make(chan string, 2), make(chan struct{})
	srv := amqprpc.NewServer(broker.URL(), amqprpc.WithLogger(nil))
	amqprpc.Register(srv, "put", func(ctx context.Context, n int) (int, error) {
		req, _ := amqprpc.RequestFromContext(ctx)
		started <- fmt.Sprint("attempt ", req.Attempt(), " at ", req.ID())
		<-release
		return n, nil
	})
	defer start(srv)()
	cli, err := amqprpc.Dial(context.Background(), broker.URL(), amqprpc.WithLogger(nil), amqprpc.WithConnectionName("client"))
	if err != nil {
		log.Fatal(err)
	}
	defer cli.Close()

	broker.Tamper(func(amqptest.Message) amqptest.Fate { return amqptest.Fate{Unconfirmed: true} })
	call := amqprpc.Go[int, int](context.Background(), cli, "put", 7, amqprpc.WithIdempotent(), amqprpc.WithCallID("put-7"))
	fmt.Println(<-started)
	broker.Connection("client").Cut()
	fmt.Println(<-started)
	close(release)
	fmt.Println(call.Await(context.Background()))
	// Output:
	// attempt 1 at put-7
	// attempt 2 at put-7
	// 7 <nil>
}

// No server consumes the queue, so the call fails at once instead of at its deadline.
func ExampleWithFailFast() {
	broker := amqptest.NewBroker()
	defer broker.Close()
	srv := amqprpc.NewServer(broker.URL(), amqprpc.WithLogger(nil))
	Fib.Register(srv, fib)
	stop := start(srv)
	stop() // the queue stays

	cli, err := amqprpc.Dial(context.Background(), broker.URL())
	if err != nil {
		log.Fatal(err)
	}
	defer cli.Close()
	_, err = Fib.Call(context.Background(), cli, 30, amqprpc.WithFailFast())
	fmt.Println(err)
	// Output: rpc_queue: unavailable: nobody consumes the queue, which has 0 messages waiting
}

func ExampleWithQueue() {
	broker := amqptest.NewBroker()
	defer broker.Close()
	srv := amqprpc.NewServer(broker.URL(), amqprpc.WithLogger(nil))
	Fib.Register(srv, fib, amqprpc.WithQueue(amqprpc.Queue{
		Type:                 "quorum",
		MaxLength:            10_000,
		DeadLetterRoutingKey: "rpc_queue.dead", // the default exchange routes to the queue of this name
	}))
	defer start(srv)()
	q, _ := broker.Queue("rpc_queue")
	fmt.Println(q.Type, q.Durable, q.Arguments["x-max-length"])
	// Output: quorum true 10000
}

// A request that no server takes in time comes back to its caller.
func ExampleWithBounce() {
	broker := amqptest.NewBroker()
	defer broker.Close()
	srv := amqprpc.NewServer(broker.URL(), amqprpc.WithLogger(nil))
	Fib.Register(srv, fib, amqprpc.WithQueue(amqprpc.Queue{MessageTTL: 20 * time.Millisecond, Bounce: true}))
	stop := start(srv)
	stop() // the queue stays

	cli, err := amqprpc.Dial(context.Background(), broker.URL(), amqprpc.WithBounce())
	if err != nil {
		log.Fatal(err)
	}
	defer cli.Close()
	_, err = Fib.Call(context.Background(), cli, 30)
	fmt.Println(err)
	// Output: rpc_queue: deadline_exceeded: the request came back from the queue: expired
}

func ExampleWithStateCallback() {
	broker := amqptest.NewBroker()
	defer broker.Close()
	states := make(chan amqprpc.State, 8)
	cli, err := amqprpc.Dial(context.Background(), broker.URL(), amqprpc.WithLogger(nil),
		amqprpc.WithStateCallback(func(s amqprpc.State) { states <- s }))
	if err != nil {
		log.Fatal(err)
	}
	defer cli.Close()
	fmt.Println(<-states)
	broker.CutConnections()
	fmt.Println(<-states)
	fmt.Println(<-states)
	// Output:
	// connected
	// disconnected
	// connected
}

func ExampleWithAtMostOnce() {
	cli, closeAll := connected(func(srv *amqprpc.Server) {
		amqprpc.Register(srv, "launch", func(_ context.Context, _ amqprpc.None) (string, error) { return "away", nil },
			amqprpc.WithAtMostOnce())
	})
	defer closeAll()
	fmt.Println(amqprpc.Call[amqprpc.None, string](context.Background(), cli, "launch", amqprpc.None{}))
	// Output: away <nil>
}

func ExampleWithReplyMode() {
	cli, closeAll := connected(func(srv *amqprpc.Server) {
		amqprpc.Register(srv, "whither", func(ctx context.Context, _ amqprpc.None) (string, error) {
			req, _ := amqprpc.RequestFromContext(ctx)
			return req.Delivery().ReplyTo[:len("amq.rabbitmq.reply-to")], nil
		})
	}, amqprpc.WithReplyMode(amqprpc.ReplyDirect))
	defer closeAll()
	fmt.Println(amqprpc.Call[amqprpc.None, string](context.Background(), cli, "whither", amqprpc.None{}))
	// Output: amq.rabbitmq.reply-to <nil>
}

func ExampleWithMaxPending() {
	started, release := make(chan struct{}), make(chan struct{})
	cli, closeAll := connected(func(srv *amqprpc.Server) {
		amqprpc.Register(srv, "slow", func(context.Context, int) (int, error) {
			close(started)
			<-release
			return 1, nil
		})
	}, amqprpc.WithMaxPending(1))
	defer closeAll()
	ctx := context.Background()
	first := amqprpc.Go[int, int](ctx, cli, "slow", 1)
	<-started
	_, err := amqprpc.Call[int, int](ctx, cli, "slow", 2)
	fmt.Println(err)
	close(release)
	fmt.Println(first.Await(ctx))
	// Output:
	// slow: resource_exhausted: the client has 1 call in flight already (WithMaxPending)
	// 1 <nil>
}

func ExampleWithHeader() {
	cli, closeAll := connected(func(srv *amqprpc.Server) {
		amqprpc.Register(srv, "greet", func(ctx context.Context, name string) (string, error) {
			req, _ := amqprpc.RequestFromContext(ctx)
			if req.Header()["accept-language"] == "de" {
				return "Guten Tag, " + name, nil
			}
			return "Good day, " + name, nil
		})
	})
	defer closeAll()
	fmt.Println(amqprpc.Call[string, string](context.Background(), cli, "greet", "Ada", amqprpc.WithHeader("accept-language", "de")))
	// Output: Guten Tag, Ada <nil>
}

// The caller sets the id. A server that stores answers recognizes the call, even if it is
// repeated after a restart.
func ExampleWithCallID() {
	cli, closeAll := connected(func(srv *amqprpc.Server) {
		amqprpc.Register(srv, "pay", func(ctx context.Context, cents int) (string, error) {
			req, _ := amqprpc.RequestFromContext(ctx)
			return fmt.Sprintf("%d cents for %s", cents, req.ID()), nil
		})
	})
	defer closeAll()
	fmt.Println(amqprpc.Call[int, string](context.Background(), cli, "pay", 350, amqprpc.WithCallID("order-4711")))
	// Output: 350 cents for order-4711 <nil>
}

// The caller waits an hour for the handler, but only six seconds for a dead server.
func ExampleWithLiveness() {
	cli, closeAll := connected(func(srv *amqprpc.Server) {
		amqprpc.Register(srv, "report", func(_ context.Context, year int) (string, error) {
			return fmt.Sprint("all was well in ", year), nil
		})
	})
	defer closeAll()
	fmt.Println(amqprpc.Call[int, string](context.Background(), cli, "report", 2025,
		amqprpc.WithTimeout(time.Hour), amqprpc.WithLiveness(2*time.Second)))
	// Output: all was well in 2025 <nil>
}

// If a broker is unreachable, the client tries the next broker.
func ExampleWithBrokers() {
	gone, there := amqptest.NewBroker(), amqptest.NewBroker()
	defer there.Close()
	gone.Close()
	cli, err := amqprpc.Dial(context.Background(), gone.URL(), amqprpc.WithLogger(nil), amqprpc.WithBrokers(there.URL()))
	fmt.Println(err)
	cli.Close()
	// Output: <nil>
}

// A broker without a port, connected through memory.
func ExampleWithDialer() {
	broker := amqptest.NewBroker(amqptest.WithoutListener())
	defer broker.Close()
	cli, err := amqprpc.Dial(context.Background(), broker.URL(), amqprpc.WithDialer(broker.Dial))
	fmt.Println(err)
	cli.Close()
	// Output: <nil>
}

// A handler calls another service. The handler's caller gets the code internal for errors of
// that service, except for the codes that the option allows.
func ExampleWithCalleeCodes() {
	var inner *amqprpc.Client
	cli, closeAll := connected(func(srv *amqprpc.Server) {
		amqprpc.Register(srv, "stock", func(_ context.Context, item string) (int, error) {
			if item == "gold" {
				return 0, amqprpc.Errorf(amqprpc.CodeUnauthenticated, "who asks?")
			}
			return 0, amqprpc.Errorf(amqprpc.CodeNotFound, "no %s", item)
		})
		amqprpc.Register(srv, "order", func(ctx context.Context, item string) (int, error) {
			return amqprpc.Call[string, int](ctx, inner, "stock", item)
		}, amqprpc.WithCalleeCodes(amqprpc.CodeNotFound))
	})
	defer closeAll()
	inner = cli
	_, err := amqprpc.Call[string, int](context.Background(), cli, "order", "tea")
	fmt.Println(err)
	_, err = amqprpc.Call[string, int](context.Background(), cli, "order", "gold")
	fmt.Println(err)
	// Output:
	// order: not_found: no tea
	// order: internal: the handler's call to another service failed
}

func ExampleWithHandlerTimeout() {
	cli, closeAll := connected(func(srv *amqprpc.Server) {
		amqprpc.Register(srv, "slow", func(ctx context.Context, _ int) (int, error) {
			<-ctx.Done()
			return 0, ctx.Err()
		}, amqprpc.WithHandlerTimeout(20*time.Millisecond))
	})
	defer closeAll()
	_, err := amqprpc.Call[int, int](context.Background(), cli, "slow", 1)
	fmt.Println(amqprpc.CodeOf(err), amqprpc.OutcomeOf(err))
	// Output: deadline_exceeded executed
}

// A notification that is worthless after a minute.
func ExampleWithExpiration() {
	left := make(chan time.Duration, 1)
	cli, closeAll := connected(func(srv *amqprpc.Server) {
		amqprpc.Register(srv, "tick", func(ctx context.Context, _ int) (int, error) {
			end, _ := ctx.Deadline()
			left <- time.Until(end)
			return 0, nil
		})
	})
	defer closeAll()
	fmt.Println(amqprpc.Notify(context.Background(), cli, "tick", 1, amqprpc.WithExpiration(time.Minute)))
	fmt.Println((<-left).Round(10 * time.Second))
	// Output:
	// <nil>
	// 1m0s
}

func ExampleWithPriority() {
	cli, closeAll := connected(func(srv *amqprpc.Server) {
		amqprpc.Register(srv, "jobs", func(ctx context.Context, _ int) (uint8, error) {
			req, _ := amqprpc.RequestFromContext(ctx)
			return req.Delivery().Priority, nil
		}, amqprpc.WithQueue(amqprpc.Queue{MaxPriority: 9}))
	})
	defer closeAll()
	fmt.Println(amqprpc.Call[int, uint8](context.Background(), cli, "jobs", 1, amqprpc.WithPriority(9)))
	// Output: 9 <nil>
}

// A handler that skips optional work if the request waited long in the queue.
func ExampleRequest_QueueTime() {
	cli, closeAll := connected(func(srv *amqprpc.Server) {
		amqprpc.Register(srv, "report", func(ctx context.Context, _ int) (string, error) {
			req, _ := amqprpc.RequestFromContext(ctx)
			if waited, known := req.QueueTime(); known && waited > 5*time.Second {
				return "short", nil
			}
			return "long", nil
		})
	})
	defer closeAll()
	fmt.Println(amqprpc.Call[int, string](context.Background(), cli, "report", 1))
	// Output: long <nil>
}
