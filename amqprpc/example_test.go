package amqprpc_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
)

// Fib is the contract of both sides: the queue's name and the types of request and response.
const Fib amqprpc.Method[int, int64] = "rpc_queue"

func fib(_ context.Context, n int) (int64, error) {
	a, b := int64(0), int64(1)
	for range n {
		a, b = b, a+b
	}
	return a, nil
}

// A server and a client. This example uses a broker inside the process. Your program uses
// RabbitMQ's URL instead.
func Example() {
	broker := amqptest.NewBroker()
	defer broker.Close()
	ctx, stop := context.WithCancel(context.Background())

	srv := amqprpc.NewServer(broker.URL())
	Fib.Register(srv, fib)
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ctx) }()

	cli, err := amqprpc.Dial(ctx, broker.URL())
	if err != nil {
		log.Fatal(err)
	}
	<-srv.Ready() // the server has declared the queue
	fmt.Println(Fib.Call(ctx, cli, 30))

	cli.Close()
	stop() // the server drains
	fmt.Println(<-served)
	// Output:
	// 832040 <nil>
	// <nil>
}

// connected starts a broker, a server with the handlers that register registers, and a
// client. Most examples use it.
func connected(register func(*amqprpc.Server), opts ...amqprpc.ClientOption) (cli *amqprpc.Client, closeAll func()) {
	broker := amqptest.NewBroker()
	srv := amqprpc.NewServer(broker.URL(), amqprpc.WithLogger(nil))
	register(srv)
	stop := start(srv)
	cli, err := amqprpc.Dial(context.Background(), broker.URL(), append(opts, amqprpc.WithLogger(nil))...)
	if err != nil {
		log.Fatal(err)
	}
	return cli, func() {
		cli.Close()
		stop()
		broker.Close()
	}
}

// start serves in the background, until stop is called.
func start(srv *amqprpc.Server) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ctx) }()
	<-srv.Ready()
	return func() {
		cancel()
		if err := <-served; err != nil {
			log.Fatal(err)
		}
	}
}

func ExampleNewServer() {
	broker := amqptest.NewBroker()
	defer broker.Close()

	srv := amqprpc.NewServer(broker.URL(), amqprpc.WithConnectionName("calculator"))
	amqprpc.Register(srv, "double", func(_ context.Context, n int) (int, error) { return 2 * n, nil })

	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ctx) }()
	select {
	case <-srv.Ready():
		fmt.Println("every queue is consumed")
	case err := <-served:
		fmt.Println("the broker refused something:", err)
	}
	stop()
	fmt.Println("drained:", <-served)
	// Output:
	// every queue is consumed
	// drained: <nil>
}

func ExampleServer_Serve() {
	srv := amqprpc.NewServer("amqp//localhost")
	amqprpc.Register(srv, "double", func(_ context.Context, n int) (int, error) { return 2 * n, nil })
	fmt.Println(srv.Serve(context.Background()))
	// Output: invalid_argument: serve: the broker's URL is not of the form amqp://user:password@host:port/vhost: AMQP scheme must be either 'amqp://' or 'amqps://'
}

func ExampleServer_Stats() {
	srv := amqprpc.NewServer("amqp://localhost/")
	fmt.Printf("%+v\n", srv.Stats())
	// Output: {Pending:0 InFlight:0 Handled:0 Failed:map[] Redelivered:0 RefusedReplyTo:0 ReturnedReplies:0 Poisoned:0 Shed:0 Cancelled:0 BadControl:0 InstanceRequests:0 InstanceRepeated:0 InstanceRefused:0 Panics:0 LateResults:0 Reconnects:0}
}

func ExampleRegister() {
	type Order struct {
		Item  string `json:"item"`
		Count int    `json:"count"`
	}
	type Receipt struct {
		Cents int `json:"cents"`
	}
	cli, closeAll := connected(func(srv *amqprpc.Server) {
		// The types come from the handler.
		amqprpc.Register(srv, "orders", func(_ context.Context, o Order) (Receipt, error) {
			if o.Item != "tea" {
				return Receipt{}, amqprpc.Errorf(amqprpc.CodeNotFound, "we have no %s", o.Item)
			}
			return Receipt{Cents: 350 * o.Count}, nil
		}, amqprpc.WithConcurrency(16))
	})
	defer closeAll()

	fmt.Println(amqprpc.Call[Order, Receipt](context.Background(), cli, "orders", Order{Item: "tea", Count: 3}))
	fmt.Println(amqprpc.Call[Order, Receipt](context.Background(), cli, "orders", Order{Item: "rum", Count: 1}))
	// Output:
	// {1050} <nil>
	// {0} orders: not_found: we have no rum
}

func ExampleDial() {
	broker := amqptest.NewBroker()
	defer broker.Close()
	cli, err := amqprpc.Dial(context.Background(), broker.URL(), amqprpc.WithConnectionName("checkout"))
	if err != nil {
		log.Fatal(err)
	}
	defer cli.Close()
	fmt.Println(broker.Connections()[0].Name())
	// Output: checkout
}

func ExampleCall() {
	cli, closeAll := connected(func(srv *amqprpc.Server) { Fib.Register(srv, fib) })
	defer closeAll()

	// Go cannot infer the response type, so the call names both types. A Method names them
	// once.
	n, err := amqprpc.Call[int, int64](context.Background(), cli, "rpc_queue", 12)
	fmt.Println(n, err)

	_, err = amqprpc.Call[int, int64](context.Background(), cli, "rcp_queue", 12)
	fmt.Println(err)
	// Output:
	// 144 <nil>
	// rcp_queue: unavailable: there is no such queue (312 NO_ROUTE): has a server registered it on this virtual host?
}

func ExampleGo() {
	cli, closeAll := connected(func(srv *amqprpc.Server) { Fib.Register(srv, fib) })
	defer closeAll()
	ctx := context.Background()

	a := amqprpc.Go[int, int64](ctx, cli, "rpc_queue", 10)
	b := amqprpc.Go[int, int64](ctx, cli, "rpc_queue", 20) // both calls are now in flight
	fmt.Println(a.Await(ctx))
	fmt.Println(b.Await(ctx))
	// Output:
	// 55 <nil>
	// 6765 <nil>
}

func ExampleFuture_Done() {
	cli, closeAll := connected(func(srv *amqprpc.Server) { Fib.Register(srv, fib) })
	defer closeAll()

	future := Fib.Go(context.Background(), cli, 30)
	select {
	case <-future.Done():
		fmt.Println(future.Await(context.Background()))
	case <-interrupted():
		fmt.Println("never mind")
	}
	// Output: 832040 <nil>
}

func interrupted() <-chan struct{} { return nil }

func ExampleNotify() {
	said := make(chan string)
	cli, closeAll := connected(func(srv *amqprpc.Server) {
		amqprpc.Register(srv, "log", func(_ context.Context, line string) (amqprpc.None, error) {
			said <- line
			return amqprpc.None{}, nil
		})
	})
	defer closeAll()

	// Notify returns when the broker has the message, possibly before the handler runs.
	fmt.Println(amqprpc.Notify(context.Background(), cli, "log", "hello"))
	fmt.Println(<-said)
	// Output:
	// <nil>
	// hello
}

func ExampleMethod() {
	// Greet belongs in a package that client and server import.
	const Greet amqprpc.Method[string, string] = "greet"

	cli, closeAll := connected(func(srv *amqprpc.Server) {
		Greet.Register(srv, func(_ context.Context, name string) (string, error) { return "hello, " + name, nil })
	})
	defer closeAll()
	ctx := context.Background()

	fmt.Println(Greet.Call(ctx, cli, "world"))
	fmt.Println(Greet.Go(ctx, cli, "future").Await(ctx))
	fmt.Println(Greet.Notify(ctx, cli, "nobody"))
	// Output:
	// hello, world <nil>
	// hello, future <nil>
	// <nil>
}

func ExampleClient_Close() {
	cli, closeAll := connected(func(srv *amqprpc.Server) { Fib.Register(srv, fib) })
	defer closeAll()

	cli.Close()
	_, err := Fib.Call(context.Background(), cli, 30)
	fmt.Println(err)
	fmt.Println(errors.Is(err, amqprpc.ErrClientClosed), amqprpc.OutcomeOf(err))
	// Output:
	// rpc_queue: canceled: the client is closed
	// true not-sent
}

func ExampleClient_Stats() {
	cli, closeAll := connected(func(srv *amqprpc.Server) { Fib.Register(srv, fib) })
	defer closeAll()

	amqprpc.Call[int, int](context.Background(), cli, "no such queue", 1)
	fmt.Println("returned:", cli.Stats().Returned)
	// Output: returned: 1
}
