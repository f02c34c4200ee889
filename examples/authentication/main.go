// Authentication shows who calls a server, in two ways. RabbitMQ proves the user of the
// connection (user_id), and a JSON Web Token proves the person on whose behalf the user
// calls. You can choose the library that verifies tokens. This example uses
// golang-jwt/jwt.
//
//	cd examples/authentication && go run .
//
// The command needs only Go: it has a broker with two users inside.
package main

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"io"
	"os"
	"os/signal"
	"time"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
	"github.com/bbebcec1/amqprpc-go/middleware"
)

// Refund is the contract: an order's number, and what the clerk reads.
const Refund amqprpc.Method[int, string] = "examples.refund"

// refund is the handler. Its caller is known, and so is the person.
func refund(ctx context.Context, order int) (string, error) {
	person, _ := middleware.Principal[Person](ctx)
	if !person.May("refund") {
		return "", amqprpc.Errorf(amqprpc.CodePermissionDenied, "%s may not refund", person.Name)
	}
	req, _ := amqprpc.RequestFromContext(ctx)
	return fmt.Sprintf("order %d refunded for %s, asked by the %s", order, person.Name, req.UserID()), nil
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "authentication:", err)
		os.Exit(1)
	}
}

var quiet = amqprpc.WithLogger(nil)

func run(ctx context.Context, out io.Writer) (err error) {
	broker := amqptest.NewBroker(amqptest.WithUser("payments", "secret"), amqptest.WithUser("shop", "secret"), amqptest.WithUser("blog", "secret"))
	defer broker.Close()
	url := func(user string) string { return "amqp://" + user + ":secret@" + broker.Addr() + "/" }
	public, private, err := ed25519.GenerateKey(nil) // the login service signs, servers verify
	if err != nil {
		return err
	}

	srv := amqprpc.NewServer(url("payments"), quiet, amqprpc.WithMiddleware(
		middleware.AuthUser(middleware.Users("shop")),
		middleware.AuthBearer(verifier(public)),
	))
	Refund.Register(srv, refund, amqprpc.WithQueue(amqprpc.Queue{Expires: time.Minute}))
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

	soon, past := time.Now().Add(time.Minute), time.Now().Add(-time.Minute)
	for _, c := range []struct{ what, user, token string }{
		{"Ada, a clerk", "shop", sign(private, "Ada", soon, "refund")},
		{"Eve, a customer", "shop", sign(private, "Eve", soon)},
		{"an old token", "shop", sign(private, "Ada", past, "refund")},
		{"a forged token", "shop", sign(ed25519.NewKeyFromSeed(make([]byte, 32)), "Ada", soon, "refund")},
		{"another user", "blog", sign(private, "Ada", soon, "refund")},
	} {
		got, err := ask(ctx, url(c.user), c.token)
		if err != nil {
			got = err.Error()
		}
		fmt.Fprintf(out, "%-16s %s\n", c.what, got)
	}
	return nil
}

// ask calls the server as the user of the URL, for the person of the token.
func ask(ctx context.Context, url, token string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	cli, err := amqprpc.Dial(ctx, url, quiet, amqprpc.WithUserID(), amqprpc.WithMiddleware(
		middleware.SendBearer(func(context.Context) (string, error) { return token, nil })))
	if err != nil {
		return "", err
	}
	defer cli.Close()
	return Refund.Call(ctx, cli, 7)
}
