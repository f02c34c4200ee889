package idempotency_test

import (
	"context"
	"fmt"
	"time"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
	"github.com/bbebcec1/amqprpc-go/middleware/idempotency"
)

func ExampleNew() {
	broker := amqptest.NewBroker()
	defer broker.Close()

	srv := amqprpc.NewServer(broker.URL(), amqprpc.WithLogger(nil))
	tickets := 0
	next := amqprpc.Method[string, int]("tickets")
	next.Register(srv, func(_ context.Context, who string) (int, error) {
		tickets++
		fmt.Println("drawing a ticket for", who)
		return tickets, nil
	}, amqprpc.WithConcurrency(1), amqprpc.WithMiddleware(
		idempotency.New(idempotency.NewMemoryStore(1000, time.Hour)),
	))
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ctx) }()
	defer func() {
		stop()
		if err := <-served; err != nil {
			fmt.Println(err)
		}
	}()
	<-srv.Ready()

	cli, err := amqprpc.Dial(ctx, broker.URL(), amqprpc.WithLogger(nil))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer cli.Close()

	// The caller chooses the IDs of its calls, so that it can repeat a call after a
	// timeout or after its own restart.
	draw := func(who, id string) {
		n, err := next.Call(ctx, cli, who, amqprpc.WithCallID(id))
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(who, "has ticket", n)
	}
	draw("Ada", "visit 17")
	draw("Ada", "visit 17")
	draw("Bob", "visit 18")
	draw("Bob", "visit 17")

	// Output:
	// drawing a ticket for Ada
	// Ada has ticket 1
	// Ada has ticket 1
	// drawing a ticket for Bob
	// Bob has ticket 2
	// tickets: failed_precondition: the call's id was used before, with another body
}
