package amqprpc_test

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
)

// Countdown is a contract that both sides share.
const Countdown amqprpc.ServerStream[int, int] = "countdown"

// countDown sends the numbers from n down to 1.
func countDown(_ context.Context, n int, out *amqprpc.Sender[int]) error {
	if n > 100 {
		return amqprpc.Errorf(amqprpc.CodeOutOfRange, "%d is too far", n)
	}
	for ; n > 0; n-- {
		if err := out.Send(n); err != nil {
			return err // the caller is gone, or has seen enough
		}
	}
	return nil
}

func ExampleServerStream() {
	cli, closeAll := connected(func(srv *amqprpc.Server) { Countdown.Register(srv, countDown) })
	defer closeAll()
	ctx := context.Background()

	for n, err := range Countdown.Call(ctx, cli, 3) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(n)
	}
	for _, err := range Countdown.Call(ctx, cli, 1000) {
		fmt.Println(err) // an error is the last pair
	}
	// Output:
	// 3
	// 2
	// 1
	// countdown: out_of_range: 1000 is too far
}

// A loop that breaks ends the handler.
func ExampleServerStream_Call() {
	ended := make(chan error, 1)
	cli, closeAll := connected(func(srv *amqprpc.Server) {
		Countdown.Register(srv, func(ctx context.Context, n int, out *amqprpc.Sender[int]) error {
			for { // for ever
				if err := out.Send(n); err != nil {
					ended <- err
					return err
				}
			}
		})
	})
	defer closeAll()

	for n, err := range Countdown.Call(context.Background(), cli, 7) {
		fmt.Println(n, err)
		break
	}
	fmt.Println(amqprpc.CodeOf(<-ended))
	// Output:
	// 7 <nil>
	// canceled
}

func ExampleRegisterServerStream() {
	cli, closeAll := connected(func(srv *amqprpc.Server) {
		amqprpc.RegisterServerStream(srv, "countdown", countDown)
	})
	defer closeAll()
	for n := range Countdown.Call(context.Background(), cli, 2) {
		fmt.Println(n)
	}
	// Output:
	// 2
	// 1
}

// A handler that waits for something else watches its ctx, too.
func ExampleSender() {
	prices := make(chan int, 2)
	prices <- 100
	prices <- 101
	cli, closeAll := connected(func(srv *amqprpc.Server) {
		amqprpc.RegisterServerStream(srv, "prices", func(ctx context.Context, _ amqprpc.None, out *amqprpc.Sender[int]) error {
			for {
				select {
				case p := <-prices:
					if err := out.Send(p); err != nil {
						return err
					}
				case <-ctx.Done():
					return ctx.Err()
				}
			}
		})
	})
	defer closeAll()

	contract := amqprpc.ServerStream[amqprpc.None, int]("prices")
	seen := 0
	for p, err := range contract.Call(context.Background(), cli, amqprpc.None{}) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(p)
		if seen++; seen == 2 {
			break
		}
	}
	// Output:
	// 100
	// 101
}

// Middleware counts the messages of a stream, and sees a loop that broke.
func ExampleResponse_Stopped() {
	report := func(next amqprpc.Invoker) amqprpc.Invoker {
		return func(ctx context.Context, req *amqprpc.Request) (*amqprpc.Response, error) {
			resp, err := next(ctx, req) // returns when the stream has ended
			if err == nil {
				fmt.Println("received:", req.MessagesReceived(), "stopped:", resp.Stopped())
			}
			return resp, err
		}
	}
	cli, closeAll := connected(func(srv *amqprpc.Server) { Countdown.Register(srv, countDown) },
		amqprpc.WithMiddleware(report))
	defer closeAll()
	ctx := context.Background()
	for range Countdown.Call(ctx, cli, 3) {
	}
	for range Countdown.Call(ctx, cli, 3) {
		break
	}
	// Output:
	// received: 3 stopped: false
	// received: 1 stopped: true
}

// Middleware looks at each message of a stream.
func ExampleRequest_OnMessage() {
	noThirteen := func(next amqprpc.Invoker) amqprpc.Invoker {
		return func(ctx context.Context, req *amqprpc.Request) (*amqprpc.Response, error) {
			req.OnMessage(func(d amqprpc.Direction, msg any) error {
				if n := msg.(*int); d == amqprpc.MessageReceived && *n == 13 {
					return amqprpc.Errorf(amqprpc.CodeInvalidArgument, "13 brings bad luck")
				}
				return nil
			})
			return next(ctx, req)
		}
	}
	cli, closeAll := connected(func(srv *amqprpc.Server) {
		Echo.Register(srv, sendBack, amqprpc.WithMiddleware(noThirteen))
	})
	defer closeAll()

	talk, err := Echo.Open(context.Background(), cli)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer talk.Close()
	for _, n := range []int{12, 13} {
		if err := talk.Send(n); errors.Is(err, io.EOF) {
			break
		}
		fmt.Println(talk.Recv())
	}
	// Output:
	// 12 <nil>
	// 0 echo: invalid_argument: 13 brings bad luck
}
