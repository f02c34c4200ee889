package main

import (
	"context"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
)

// The contract that client and server share.
const (
	// Fib is the tutorial's queue. The tutorial's Python client and server also use this
	// queue.
	Fib amqprpc.Method[int, int64] = "rpc_queue"
	// Recursive computes Fib by plain recursion, as the tutorial does. From about n = 60, it
	// practically never ends.
	Recursive amqprpc.Method[int, int64] = "rpc_queue.recursive"
)

// maxN is the last n whose Fibonacci number fits an int64.
const maxN = 92

// Bounds is an error detail. It tells the caller which n are valid.
type Bounds struct {
	Min int `json:"min"`
	Max int `json:"max"`
}

// check validates n before the work starts. The tutorial has no such check.
func check(n int) error {
	bounds := Bounds{Min: 0, Max: maxN}
	switch {
	case n < bounds.Min:
		return amqprpc.Errorf(amqprpc.CodeInvalidArgument, "there is no Fibonacci number before the first: n is %d", n).
			WithDetail("bounds", bounds)
	case n > bounds.Max:
		return amqprpc.Errorf(amqprpc.CodeOutOfRange, "fib(%d) does not fit an int64", n).
			WithDetail("bounds", bounds)
	}
	return nil
}

// fib is the handler of Fib.
func fib(_ context.Context, n int) (int64, error) {
	if err := check(n); err != nil {
		return 0, err
	}
	a, b := int64(0), int64(1)
	for range n {
		a, b = b, a+b
	}
	return a, nil
}

// fibRecursive is the handler of Recursive. It stops when its ctx ends, because then no
// caller waits for the answer.
func fibRecursive(ctx context.Context, n int) (int64, error) {
	if err := check(n); err != nil {
		return 0, err
	}
	steps := 0
	var err error
	var f func(n int) int64
	f = func(n int) int64 {
		if steps++; steps%10_000 == 0 && err == nil {
			err = ctx.Err()
		}
		if n < 2 || err != nil {
			return int64(n)
		}
		return f(n-1) + f(n-2)
	}
	result := f(n)
	if err != nil {
		return 0, err
	}
	return result, nil
}

// newServer returns a server of both methods.
func newServer(url string, opts ...amqprpc.ServerOption) *amqprpc.Server {
	srv := amqprpc.NewServer(url, opts...)
	// The tutorial's server declares a transient queue. This server does the same, so that
	// both can serve one queue. For your own service, keep the default, a durable queue.
	queue := amqprpc.WithQueue(amqprpc.Queue{Transient: true})
	Fib.Register(srv, fib, queue)
	Recursive.Register(srv, fibRecursive, queue)
	return srv
}
