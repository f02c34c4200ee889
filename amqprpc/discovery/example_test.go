package discovery_test

import (
	"context"
	"fmt"
	"log"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
	"github.com/bbebcec1/amqprpc-go/amqprpc/describe"
	"github.com/bbebcec1/amqprpc-go/amqprpc/discovery"
)

// shop starts a service, and waits until it can be found.
func shop() (cli *amqprpc.Client, closeAll func()) {
	broker := amqptest.NewBroker()
	srv := amqprpc.NewServer(broker.URL(), amqprpc.WithLogger(nil), amqprpc.WithService(amqprpc.Service{Name: "shop", Version: "1.4.2"}))
	amqprpc.Register(srv, "orders", square, amqprpc.WithDoc("Places an order."))
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ctx) }()
	cli, err := amqprpc.Dial(ctx, broker.URL(), amqprpc.WithLogger(nil))
	if err != nil {
		log.Fatal(err)
	}
	for there := false; !there; {
		for range discovery.Instances(ctx, cli) {
			there = true
		}
	}
	return cli, func() {
		cli.Close()
		stop()
		<-served
		broker.Close()
	}
}

func ExampleInstances() {
	cli, closeAll := shop()
	defer closeAll()
	for d, err := range discovery.Instances(context.Background(), cli) {
		fmt.Println(d.Name, d.Version, d.Methods, err)
	}
	// Output:
	// shop 1.4.2 [orders] <nil>
}

func ExampleInfo() {
	cli, closeAll := shop()
	defer closeAll()
	for d, err := range discovery.Info(context.Background(), cli, discovery.OfQueue("orders")) {
		if err != nil {
			fmt.Println(err)
			continue
		}
		for _, m := range d.Methods {
			fmt.Println(m.Queue, m.Kind, m.Request.Type, m.Response.Type, m.Doc)
		}
	}
	// Output:
	// orders unary int int Places an order.
}

// The times of all servers of a queue together.
func ExampleStats() {
	cli, closeAll := shop()
	defer closeAll()
	for n := range 10 {
		if _, err := amqprpc.Call[int, int](context.Background(), cli, "orders", n); err != nil {
			fmt.Println(err)
		}
	}
	var times describe.Histogram
	for d, err := range discovery.Stats(context.Background(), cli, discovery.OfService("shop")) {
		if err != nil {
			fmt.Println(err)
			continue
		}
		for _, m := range d.Methods {
			fmt.Println(m.Queue, m.Served, m.Calls)
			times = times.Merge(m.Handler)
		}
	}
	fmt.Println(times.Count, times.Quantile(0.99) > 0)
	// Output:
	// orders true map[ok:10]
	// 10 true
}
