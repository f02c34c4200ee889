package breaker_test

import (
	"context"
	"fmt"
	"time"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
	"github.com/bbebcec1/amqprpc-go/middleware/breaker"
)

func Example() {
	broker := amqptest.NewBroker()
	defer broker.Close()

	b := breaker.New(breaker.WithFailureRatio(0.5, 3), breaker.WithOpenFor(time.Minute))
	ctx := context.Background()
	cli, err := amqprpc.Dial(ctx, broker.URL(), amqprpc.WithLogger(nil), amqprpc.WithMiddleware(b.Middleware()))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer cli.Close()
	for range 4 { // nobody serves the queue
		_, err := amqprpc.Call[int, int](ctx, cli, "orders", 1)
		fmt.Println(amqprpc.CodeOf(err), amqprpc.OutcomeOf(err))
	}
	for _, s := range b.Status() {
		fmt.Println(s.Queue, s.State, s.Until.Sub(s.Since))
	}

	// Output:
	// unavailable not-executed
	// unavailable not-executed
	// unavailable not-executed
	// unavailable not-sent
	// orders open 1m0s
}
