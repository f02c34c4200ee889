// Validation checks struct tags in middleware. You can choose the library that reads the
// tags. This example uses go-playground/validator with about a page of middleware.
//
//	cd examples/validation && go run .
//
// This command needs only Go. To use your own RabbitMQ, give -url, or set AMQP_URL in the
// environment.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"time"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
)

// SignUp is the request. Its tags are the rules.
type SignUp struct {
	Name    string   `json:"name" validate:"required,max=40"`
	Email   string   `json:"email" validate:"required,email"`
	Age     int      `json:"age" validate:"gte=18"`
	Address *Address `json:"address,omitempty"`
}

// Address is checked only if it is present.
type Address struct {
	City string `json:"city" validate:"required"`
	Zip  string `json:"zip" validate:"numeric,len=5"`
}

// Register is the contract.
const Register amqprpc.Method[SignUp, string] = "examples.sign_up"

func main() {
	url := flag.String("url", os.Getenv("AMQP_URL"), "`URL` of a RabbitMQ; default $AMQP_URL, or else a broker inside the program")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, *url, os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "validation:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, url string, out io.Writer) (err error) {
	if url == "" {
		broker := amqptest.NewBroker()
		defer broker.Close()
		url = broker.URL()
	}
	quiet := amqprpc.WithLogger(slog.New(slog.DiscardHandler))
	dialing, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	cli, err := amqprpc.Dial(dialing, url, quiet)
	if err != nil {
		return err
	}
	defer cli.Close()

	srv := amqprpc.NewServer(url, quiet, amqprpc.WithMiddleware(validateTags()))
	Register.Register(srv, func(_ context.Context, s SignUp) (string, error) {
		return "welcome, " + s.Name, nil // the message satisfies every rule here
	}, amqprpc.WithQueue(amqprpc.Queue{Expires: time.Minute}))
	serving, stop := context.WithCancel(ctx)
	served := make(chan error, 1)
	go func() { served <- srv.Serve(serving) }()
	select {
	case <-srv.Ready():
	case err := <-served:
		stop()
		return err
	}
	defer func() {
		stop()
		if e := <-served; err == nil {
			err = e
		}
	}()

	ada := SignUp{Name: "Ada", Email: "ada@example.org", Age: 36}
	broken := SignUp{Email: "nowhere", Age: 12, Address: &Address{Zip: "N1"}}
	fmt.Fprintln(out, "A request that keeps the rules")
	show(ctx, cli, out, ada)
	fmt.Fprintln(out, "One that breaks them, refused by the server")
	show(ctx, cli, out, broken)
	fmt.Fprintln(out, "The same, refused by the client")
	show(ctx, cli, out, broken, amqprpc.WithMiddleware(validateTags()))
	return nil
}

func show(ctx context.Context, cli *amqprpc.Client, out io.Writer, s SignUp, opts ...amqprpc.CallOption) {
	got, err := Register.Call(ctx, cli, s, opts...)
	if err == nil {
		fmt.Fprintf(out, "  %s\n", got)
		return
	}
	fmt.Fprintf(out, "  %s, outcome %s\n", amqprpc.CodeOf(err), amqprpc.OutcomeOf(err))
	violations, _ := amqprpc.Detail[[]Violation](err, "violations")
	for _, v := range violations {
		fmt.Fprintf(out, "  %-14s %s\n", v.Field, v.Rule)
	}
}
