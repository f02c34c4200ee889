package amqprpc_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
)

// Total is a contract that both sides share.
const Total amqprpc.ClientStream[int, int] = "total"

// total adds up what the caller sends.
func total(_ context.Context, in *amqprpc.Receiver[int]) (int, error) {
	sum := 0
	for n, err := range in.All() {
		if err != nil {
			return 0, err // not all has come: canceled, for example
		}
		sum += n
	}
	return sum, nil
}

func ExampleClientStream() {
	cli, closeAll := connected(func(srv *amqprpc.Server) { Total.Register(srv, total) })
	defer closeAll()
	fmt.Println(Total.Call(context.Background(), cli, amqprpc.Items(slices.Values([]int{1, 2, 3}))))
	// Output: 6 <nil>
}

// A source that fails ends the call with its error. The handler sees that, and takes no part
// for the whole.
func ExampleClientStream_Call() {
	seen := make(chan error, 1)
	cli, closeAll := connected(func(srv *amqprpc.Server) {
		Total.Register(srv, func(ctx context.Context, in *amqprpc.Receiver[int]) (int, error) {
			sum, err := total(ctx, in)
			seen <- err
			return sum, err
		})
	})
	defer closeAll()

	lines := []any{1, 2, errors.New("line 3 is no number")}
	var rows iter.Seq2[int, error] = func(yield func(int, error) bool) {
		for _, l := range lines {
			n, _ := l.(int)
			err, _ := l.(error)
			if !yield(n, err) {
				return
			}
		}
	}
	_, err := Total.Call(context.Background(), cli, rows)
	fmt.Println("caller:", err)
	fmt.Println("handler:", amqprpc.CodeOf(<-seen))
	// Output:
	// caller: line 3 is no number
	// handler: canceled
}

// Open is for callers that have no source to range over.
func ExampleClientStream_Open() {
	cli, closeAll := connected(func(srv *amqprpc.Server) { Total.Register(srv, total) })
	defer closeAll()

	up, err := Total.Open(context.Background(), cli)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer up.Cancel() // means nothing after CloseAndRecv
	for _, n := range []int{4, 5} {
		if err := up.Send(n); errors.Is(err, io.EOF) {
			break // CloseAndRecv says why
		} else if err != nil {
			fmt.Println(err)
			return
		}
	}
	fmt.Println(up.CloseAndRecv())
	// Output: 9 <nil>
}

func ExampleClientStreamCall_Cancel() {
	seen := make(chan error, 1)
	cli, closeAll := connected(func(srv *amqprpc.Server) {
		Total.Register(srv, func(_ context.Context, in *amqprpc.Receiver[int]) (int, error) {
			for {
				if _, err := in.Recv(); err != nil {
					seen <- err
					return 0, err
				}
			}
		})
	})
	defer closeAll()
	up, err := Total.Open(context.Background(), cli)
	if err != nil {
		fmt.Println(err)
		return
	}
	up.Cancel()
	fmt.Println(amqprpc.CodeOf(<-seen))
	// Output: canceled
}

func ExampleRegisterClientStream() {
	cli, closeAll := connected(func(srv *amqprpc.Server) {
		amqprpc.RegisterClientStream(srv, "total", total)
	})
	defer closeAll()
	fmt.Println(Total.Call(context.Background(), cli, amqprpc.Items(slices.Values([]int{7}))))
	// Output: 7 <nil>
}

// A handler may answer before it has read everything.
func ExampleReceiver() {
	cli, closeAll := connected(func(srv *amqprpc.Server) {
		amqprpc.RegisterClientStream(srv, "first", func(_ context.Context, in *amqprpc.Receiver[string]) (string, error) {
			first, err := in.Recv()
			if errors.Is(err, io.EOF) {
				return "", amqprpc.Errorf(amqprpc.CodeInvalidArgument, "nothing was sent")
			}
			return first, err
		})
	})
	defer closeAll()
	first := amqprpc.ClientStream[string, string]("first")
	ctx := context.Background()
	fmt.Println(first.Call(ctx, cli, amqprpc.Items(slices.Values([]string{"tea", "milk"}))))
	_, err := first.Call(ctx, cli, amqprpc.Items(slices.Values([]string{})))
	fmt.Println(err)
	// Output:
	// tea <nil>
	// first: invalid_argument: nothing was sent
}

func ExampleItems() {
	for v, err := range amqprpc.Items(slices.Values([]string{"tea", "milk"})) {
		fmt.Println(v, err)
	}
	// Output:
	// tea <nil>
	// milk <nil>
}
