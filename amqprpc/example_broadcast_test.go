package amqprpc_test

import (
	"context"
	"fmt"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
)

// Shard is the contract of the examples of broadcasts: which keys does a server have?
const Shard amqprpc.Method[string, int] = "shard"

// sharded starts a server of Shard, and waits until it takes broadcasts.
func sharded() (srv *amqprpc.Server, cli *amqprpc.Client, closeAll func()) {
	cli, closeAll = connected(func(s *amqprpc.Server) {
		srv = s
		Shard.Register(s, func(context.Context, string) (int, error) { return 42, nil }, amqprpc.WithBroadcast())
	})
	for {
		for _, err := range Shard.All(context.Background(), cli, "ping") {
			if err == nil {
				return srv, cli, closeAll
			}
		}
	}
}

func ExampleAll() {
	srv, cli, closeAll := sharded()
	defer closeAll()
	for answer, err := range amqprpc.All[string, int](context.Background(), cli, "shard", "tea") {
		fmt.Println(answer.Instance == srv.Instance(), answer.Value, err)
	}
	// Nobody takes broadcasts of this queue.
	for _, err := range amqprpc.All[string, int](context.Background(), cli, "nobody", "tea") {
		fmt.Println(amqprpc.CodeOf(err), amqprpc.OutcomeOf(err))
	}
	// Output:
	// true 42 <nil>
	// unavailable not-executed
}

// A loop that breaks cancels the handlers that still run.
func ExampleMethod_All() {
	_, cli, closeAll := sharded()
	defer closeAll()
	for answer, err := range Shard.All(context.Background(), cli, "tea") {
		if err == nil {
			fmt.Println("the first answer is", answer.Value)
			break
		}
	}
	// Output:
	// the first answer is 42
}

func ExampleNotifyAll() {
	_, cli, closeAll := sharded()
	defer closeAll()
	fmt.Println(amqprpc.NotifyAll(context.Background(), cli, "shard", "forget tea"))
	fmt.Println(amqprpc.CodeOf(amqprpc.NotifyAll(context.Background(), cli, "nobody", "forget tea")))
	// Output:
	// <nil>
	// unavailable
}

func ExampleWithInstance() {
	srv, cli, closeAll := sharded()
	defer closeAll()
	ctx := context.Background()
	fmt.Println(Shard.Call(ctx, cli, "tea", amqprpc.WithInstance(srv.Instance())))
	_, err := Shard.Call(ctx, cli, "tea", amqprpc.WithInstance("gone"))
	fmt.Println(amqprpc.CodeOf(err), amqprpc.OutcomeOf(err))
	// Output:
	// 42 <nil>
	// unavailable not-executed
}
