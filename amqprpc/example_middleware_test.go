package amqprpc_test

import (
	"bytes"
	"context"
	"fmt"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
)

func ExampleWithMiddleware() {
	trace := func(name string) amqprpc.Middleware {
		return func(next amqprpc.Invoker) amqprpc.Invoker {
			return func(ctx context.Context, req *amqprpc.Request) (*amqprpc.Response, error) {
				fmt.Println(name, "begins", req.Queue())
				defer fmt.Println(name, "ends", req.Queue())
				return next(ctx, req)
			}
		}
	}
	cli, closeAll := connected(func(srv *amqprpc.Server) { Fib.Register(srv, fib) },
		amqprpc.WithMiddleware(trace("outer"), trace("inner")))
	defer closeAll()
	fmt.Println(Fib.Call(context.Background(), cli, 10))
	// Output:
	// outer begins rpc_queue
	// inner begins rpc_queue
	// inner ends rpc_queue
	// outer ends rpc_queue
	// 55 <nil>
}

// Server middleware that refuses by metadata alone, before the message is decoded.
func ExampleMiddleware() {
	onlyFriends := func(next amqprpc.Invoker) amqprpc.Invoker {
		return func(ctx context.Context, req *amqprpc.Request) (*amqprpc.Response, error) {
			if req.Header()["password"] != "friend" {
				return nil, amqprpc.Errorf(amqprpc.CodeUnauthenticated, "speak, friend, and enter")
			}
			return next(ctx, req)
		}
	}
	cli, closeAll := connected(func(srv *amqprpc.Server) {
		Fib.Register(srv, fib, amqprpc.WithMiddleware(onlyFriends))
	})
	defer closeAll()

	_, err := Fib.Call(context.Background(), cli, 10)
	fmt.Println(err)
	fmt.Println(Fib.Call(context.Background(), cli, 10, amqprpc.WithHeader("password", "friend")))
	// Output:
	// rpc_queue: unauthenticated: speak, friend, and enter
	// 55 <nil>
}

// Client middleware that retries when a retry is safe.
func ExampleMiddleware_retry() {
	retry := func(next amqprpc.Invoker) amqprpc.Invoker {
		return func(ctx context.Context, req *amqprpc.Request) (*amqprpc.Response, error) {
			for {
				resp, err := next(ctx, req)
				ran := amqprpc.OutcomeOf(err) == amqprpc.OutcomeExecuted || amqprpc.OutcomeOf(err) == amqprpc.OutcomeUnknown
				if err == nil || ran || req.Attempt() == 3 {
					return resp, err
				}
				fmt.Println("attempt", req.Attempt(), "failed:", amqprpc.CodeOf(err))
			}
		}
	}
	cli, closeAll := connected(func(srv *amqprpc.Server) { Fib.Register(srv, fib) }, amqprpc.WithMiddleware(retry))
	defer closeAll()
	_, err := amqprpc.Call[int, int](context.Background(), cli, "nobody", 1)
	fmt.Println(amqprpc.CodeOf(err))
	// Output:
	// attempt 1 failed: unavailable
	// attempt 2 failed: unavailable
	// unavailable
}

// Client middleware that answers from a cache.
func ExampleNewResponse() {
	known := map[int]int64{30: 832040}
	cache := func(next amqprpc.Invoker) amqprpc.Invoker {
		return func(ctx context.Context, req *amqprpc.Request) (*amqprpc.Response, error) {
			msg, err := req.Message()
			if n, ok := msg.(*int); err == nil && ok {
				if answer, ok := known[*n]; ok {
					fmt.Println("from the cache:")
					return amqprpc.NewResponse(answer), nil
				}
			}
			return next(ctx, req)
		}
	}
	cli, closeAll := connected(func(srv *amqprpc.Server) { Fib.Register(srv, fib) }, amqprpc.WithMiddleware(cache))
	defer closeAll()
	fmt.Println(Fib.Call(context.Background(), cli, 10))
	fmt.Println(Fib.Call(context.Background(), cli, 30))
	// Output:
	// 55 <nil>
	// from the cache:
	// 832040 <nil>
}

// Middleware that answers with an encoded response from a store.
func ExampleNewRawResponse() {
	replay := func(next amqprpc.Invoker) amqprpc.Invoker {
		return func(ctx context.Context, req *amqprpc.Request) (*amqprpc.Response, error) {
			if bytes.Equal(req.Body(), []byte("30")) {
				return amqprpc.NewRawResponse("application/json", []byte("832040"), amqprpc.Header{"replayed": "true"}), nil
			}
			return next(ctx, req)
		}
	}
	cli, closeAll := connected(func(srv *amqprpc.Server) {
		Fib.Register(srv, fib, amqprpc.WithMiddleware(replay))
	})
	defer closeAll()
	var h amqprpc.Header
	fmt.Println(Fib.Call(context.Background(), cli, 30, amqprpc.WithReplyHeader(&h)))
	fmt.Println(h)
	// Output:
	// 832040 <nil>
	// map[replayed:true]
}

func ExampleRequestFromContext() {
	cli, closeAll := connected(func(srv *amqprpc.Server) {
		amqprpc.Register(srv, "whoami", func(ctx context.Context, _ amqprpc.None) (string, error) {
			req, _ := amqprpc.RequestFromContext(ctx)
			return fmt.Sprintf("%s of call %s: %s", req.Kind(), req.ID(), req.Header()["name"]), nil
		})
	})
	defer closeAll()
	fmt.Println(amqprpc.Call[amqprpc.None, string](context.Background(), cli, "whoami", amqprpc.None{},
		amqprpc.WithHeader("name", "Ada"), amqprpc.WithCallID("4711")))
	// Output: unary of call 4711: Ada <nil>
}
