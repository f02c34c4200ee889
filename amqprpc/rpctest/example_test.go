package rpctest_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/amqprpc/rpctest"
)

// In a test t is the test's own.
func ExampleServe() {
	t, end := exampleT()
	defer end()
	cli := rpctest.Serve(t, func(srv *amqprpc.Server) {
		amqprpc.Register(srv, "greet", func(_ context.Context, name string) (string, error) { return "hello, " + name, nil })
	})
	fmt.Println(amqprpc.Call[string, string](context.Background(), cli, "greet", "Ada"))
	// Output: hello, Ada <nil>
}

func exampleT() (rpctest.TB, func()) {
	r := &recorder{}
	return r, func() { r.run(func() {}) }
}

var _ rpctest.TB = (*testing.T)(nil)
