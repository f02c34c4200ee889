package amqprpc_test

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
)

// Echo is a contract that both sides share.
const Echo amqprpc.BidiStream[int, int] = "echo"

// sendBack sends back what it gets.
func sendBack(_ context.Context, in *amqprpc.Receiver[int], out *amqprpc.Sender[int]) error {
	for {
		n, err := in.Recv()
		if errors.Is(err, io.EOF) {
			return nil // the caller has sent all
		}
		if err == nil {
			err = out.Send(n)
		}
		if err != nil {
			return err
		}
	}
}

func ExampleBidiStream() {
	cli, closeAll := connected(func(srv *amqprpc.Server) { Echo.Register(srv, sendBack) })
	defer closeAll()

	talk, err := Echo.Open(context.Background(), cli)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer talk.Close()
	for n := range 2 {
		if err := talk.Send(n); err != nil {
			break // Recv says why
		}
		fmt.Println(talk.Recv())
	}
	// Output:
	// 0 <nil>
	// 1 <nil>
}

// One goroutine sends while another receives.
func ExampleBidiStreamCall_All() {
	cli, closeAll := connected(func(srv *amqprpc.Server) { Echo.Register(srv, sendBack) })
	defer closeAll()

	talk, err := Echo.Open(context.Background(), cli)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer talk.Close()
	go func() {
		for n := range 3 {
			if talk.Send(n) != nil {
				return
			}
		}
		talk.CloseSend()
	}()
	for n, err := range talk.All() {
		fmt.Println(n, err)
	}
	fmt.Println("the server has ended the stream")
	// Output:
	// 0 <nil>
	// 1 <nil>
	// 2 <nil>
	// the server has ended the stream
}

// Close ends a Recv that waits on another goroutine.
func ExampleBidiStreamCall_Close() {
	cli, closeAll := connected(func(srv *amqprpc.Server) { Echo.Register(srv, sendBack) })
	defer closeAll()

	talk, err := Echo.Open(context.Background(), cli)
	if err != nil {
		fmt.Println(err)
		return
	}
	go talk.Close()
	_, err = talk.Recv()
	fmt.Println(err) // not io.EOF: the server has not ended the stream
	// Output: echo: canceled: the caller has cancelled the stream
}

func ExampleRegisterBidiStream() {
	cli, closeAll := connected(func(srv *amqprpc.Server) {
		amqprpc.RegisterBidiStream(srv, "echo", sendBack)
	})
	defer closeAll()
	talk, err := Echo.Open(context.Background(), cli)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer talk.Close()
	fmt.Println(talk.Send(1))
	fmt.Println(talk.Recv())
	// Output:
	// <nil>
	// 1 <nil>
}
