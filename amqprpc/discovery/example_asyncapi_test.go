package discovery_test

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/amqprpc/discovery"
)

// A document needs handlers, and no broker.
func ExampleAsyncAPI() {
	srv := amqprpc.NewServer("amqp://localhost", amqprpc.WithService(amqprpc.Service{Name: "fibonacci", Version: "1.0.0"}))
	amqprpc.Register(srv, "fibonacci", func(_ context.Context, n int) (int, error) { return n, nil },
		amqprpc.WithDoc("Returns the n-th Fibonacci number."))
	text, err := discovery.AsyncAPI(srv)
	if err != nil {
		fmt.Println(err)
		return
	}
	printSummary(text)
	// Output:
	// AsyncAPI 3.1.0: fibonacci 1.0.0
	// fibonacci: Returns the n-th Fibonacci number.
}

// One document describes the methods of several servers, here of two versions of one.
func ExampleAsyncAPIOf() {
	older := amqprpc.NewServer("amqp://localhost", amqprpc.WithService(amqprpc.Service{Name: "shop", Version: "1.9.0"}))
	amqprpc.Register(older, "order", func(context.Context, string) (int, error) { return 1, nil })
	newer := amqprpc.NewServer("amqp://localhost", amqprpc.WithService(amqprpc.Service{Name: "shop", Version: "1.10.0"}))
	amqprpc.Register(newer, "order", func(context.Context, int) (int, error) { return 1, nil }, amqprpc.WithDoc("Orders tea."))

	a, err := older.Describe() // discovery.Info returns such descriptions of live servers
	if err != nil {
		fmt.Println(err)
		return
	}
	b, err := newer.Describe()
	if err != nil {
		fmt.Println(err)
		return
	}
	text, err := discovery.AsyncAPIOf(a, b)
	if err != nil {
		fmt.Println(err)
		return
	}
	printSummary(text)
	// Output:
	// AsyncAPI 3.1.0: shop 1.10.0
	// order: Orders tea.
	//
	// Some servers of this queue describe it differently:
	// - shop 1.9.0, 1 server: doc, request
}

func printSummary(text []byte) {
	var d struct {
		AsyncAPI   string
		Info       struct{ Title, Version string }
		Operations map[string]struct{ Title, Description string }
	}
	if err := json.Unmarshal(text, &d); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("AsyncAPI %s: %s %s\n", d.AsyncAPI, d.Info.Title, d.Info.Version)
	for _, op := range d.Operations {
		fmt.Printf("%s: %s\n", op.Title, op.Description)
	}
}
