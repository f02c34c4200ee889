package amqprpc_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
)

func ExampleError_WithDetail() {
	type Stock struct {
		Left int `json:"left"`
	}
	cli, closeAll := connected(func(srv *amqprpc.Server) {
		amqprpc.Register(srv, "reserve", func(_ context.Context, n int) (amqprpc.None, error) {
			return amqprpc.None{}, amqprpc.Errorf(amqprpc.CodeFailedPrecondition, "there are not %d", n).
				WithDetail("stock", Stock{Left: 2})
		})
	})
	defer closeAll()

	_, err := amqprpc.Call[int, amqprpc.None](context.Background(), cli, "reserve", 3)
	fmt.Println(err)
	if stock, ok := amqprpc.Detail[Stock](err, "stock"); ok {
		fmt.Println("left:", stock.Left)
	}
	// Output:
	// reserve: failed_precondition: there are not 3
	// left: 2
}

func ExampleError_WithRetryAfter() {
	cli, closeAll := connected(func(srv *amqprpc.Server) {
		amqprpc.Register(srv, "report", func(context.Context, int) (int, error) {
			return 0, amqprpc.Errorf(amqprpc.CodeUnavailable, "the database restarts").WithRetryAfter(3 * time.Second)
		})
	})
	defer closeAll()

	_, err := amqprpc.Call[int, int](context.Background(), cli, "report", 3)
	fmt.Println(err)
	fmt.Println(amqprpc.RetryAfter(err))
	// Output:
	// report: unavailable: the database restarts
	// 3s true
}

func ExampleDetail() {
	err := amqprpc.Errorf(amqprpc.CodeOutOfRange, "too late").WithDetail("closed", "18:00")
	fmt.Println(amqprpc.Detail[string](err, "closed"))
	fmt.Println(amqprpc.Detail[string](err, "opens"))
	fmt.Println(amqprpc.Detail[int](err, "closed")) // the detail exists but is not an int
	// Output:
	// 18:00 true
	//  false
	// 0 false
}

func ExampleNewError() {
	errNoRows := errors.New("no rows")
	err := fmt.Errorf("find user 7: %w", amqprpc.NewError(amqprpc.CodeNotFound, errNoRows))
	fmt.Println(err)
	fmt.Println(errors.Is(err, amqprpc.CodeNotFound), errors.Is(err, errNoRows))
	// Output:
	// find user 7: not_found: no rows
	// true true
}

func ExampleErrorf() {
	err := amqprpc.Errorf(amqprpc.CodeInvalidArgument, "n is %d: %w", -1, errors.ErrUnsupported)
	fmt.Println(err.Code(), "|", err.Message())
	// Output: invalid_argument | n is -1: unsupported operation
}

// A handler may return only a code.
func ExampleCode() {
	cli, closeAll := connected(func(srv *amqprpc.Server) {
		amqprpc.Register(srv, "secret", func(context.Context, amqprpc.None) (string, error) {
			return "", amqprpc.CodePermissionDenied
		})
	})
	defer closeAll()
	_, err := amqprpc.Call[amqprpc.None, string](context.Background(), cli, "secret", amqprpc.None{})
	fmt.Println(errors.Is(err, amqprpc.CodePermissionDenied))
	// Output: true
}

func ExampleCodeOf() {
	fmt.Println(amqprpc.CodeOf(nil))
	fmt.Println(amqprpc.CodeOf(errors.New("anything")))
	fmt.Println(amqprpc.CodeOf(amqprpc.Errorf(amqprpc.CodeNotFound, "no tea")))
	fmt.Println(amqprpc.CodeOf(context.DeadlineExceeded))
	// Output:
	// ok
	// unknown
	// not_found
	// deadline_exceeded
}

func ExampleOutcomeOf() {
	cli, closeAll := connected(func(srv *amqprpc.Server) {
		amqprpc.Register(srv, "slow", func(context.Context, int) (int, error) {
			time.Sleep(200 * time.Millisecond)
			return 1, nil
		})
	})
	defer closeAll()
	ctx := context.Background()

	_, err := amqprpc.Call[int, int](ctx, cli, "nobody", 1) // no such queue
	fmt.Println(amqprpc.CodeOf(err), amqprpc.OutcomeOf(err))
	_, err = amqprpc.Call[string, int](ctx, cli, "slow", "one") // the message does not decode
	fmt.Println(amqprpc.CodeOf(err), amqprpc.OutcomeOf(err))
	short, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
	defer cancel()
	_, err = amqprpc.Call[int, int](short, cli, "slow", 1) // the handler may or may not have run
	fmt.Println(amqprpc.CodeOf(err), amqprpc.OutcomeOf(err))
	// Output:
	// unavailable not-executed
	// invalid_argument not-executed
	// deadline_exceeded unknown
}

func ExampleIsRemote() {
	cli, closeAll := connected(func(srv *amqprpc.Server) {
		amqprpc.Register(srv, "busy", func(context.Context, int) (int, error) {
			return 0, amqprpc.Errorf(amqprpc.CodeUnavailable, "come back later")
		})
	})
	defer closeAll()
	_, err := amqprpc.Call[int, int](context.Background(), cli, "busy", 1)
	fmt.Println(amqprpc.CodeOf(err), amqprpc.IsRemote(err)) // the server returned this error
	_, err = amqprpc.Call[int, int](context.Background(), cli, "nobody", 1)
	fmt.Println(amqprpc.CodeOf(err), amqprpc.IsRemote(err)) // the client returned this error
	// Output:
	// unavailable true
	// unavailable false
}

// The caller learns only that a panic happened. Middleware sees the value and the stack.
func ExamplePanicError() {
	report := func(next amqprpc.Invoker) amqprpc.Invoker {
		return func(ctx context.Context, req *amqprpc.Request) (*amqprpc.Response, error) {
			resp, err := next(ctx, req)
			if p, ok := errors.AsType[*amqprpc.PanicError](err); ok {
				fmt.Println("to the error tracker:", p.Value, len(p.Stack) > 0)
			}
			return resp, err
		}
	}
	cli, closeAll := connected(func(srv *amqprpc.Server) {
		amqprpc.Register(srv, "boom", func(context.Context, int) (int, error) { panic("at the disco") },
			amqprpc.WithMiddleware(report))
	})
	defer closeAll()
	_, err := amqprpc.Call[int, int](context.Background(), cli, "boom", 1)
	fmt.Println(err)
	// Output:
	// to the error tracker: at the disco true
	// boom: internal: internal error
}

// Middleware replays an error. No handler ran for this request, but a handler ran earlier for
// the same call.
func ExampleError_WithOutcome() {
	replay := func(amqprpc.Invoker) amqprpc.Invoker {
		return func(context.Context, *amqprpc.Request) (*amqprpc.Response, error) {
			return nil, amqprpc.Errorf(amqprpc.CodeFailedPrecondition, "no cover").WithOutcome(amqprpc.OutcomeExecuted)
		}
	}
	cli, closeAll := connected(func(srv *amqprpc.Server) { Fib.Register(srv, fib, amqprpc.WithMiddleware(replay)) })
	defer closeAll()
	_, err := Fib.Call(context.Background(), cli, 1)
	fmt.Println(err, "/", amqprpc.OutcomeOf(err))
	// Output: rpc_queue: failed_precondition: no cover / executed
}
