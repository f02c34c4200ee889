package amqprpc_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
)

// A program that starts without waiting for the broker.
func ExampleNewClient() {
	broker := amqptest.NewBroker()
	defer broker.Close()
	broker.RefuseConnections()
	cli, err := amqprpc.NewClient(broker.URL(), amqprpc.WithLogger(nil))
	if err != nil {
		log.Fatal(err) // the URL or an option is invalid
	}
	defer cli.Close()
	_, err = Fib.Call(context.Background(), cli, 10, amqprpc.WithFailFast())
	fmt.Println(amqprpc.CodeOf(err), amqprpc.OutcomeOf(err))
	// Output: unavailable not-sent
}

// A health check of a program that makes calls.
func ExampleClient_Status() {
	broker := amqptest.NewBroker()
	defer broker.Close()
	cli, err := amqprpc.Dial(context.Background(), broker.URL(), amqprpc.WithLogger(nil))
	if err != nil {
		log.Fatal(err)
	}
	status := cli.Status()
	fmt.Println(status.Connection.Connected, status.ReplyQueue.Served, status.Err())
	cli.Close()
	fmt.Println(cli.Status().Err())
	// Output:
	// true true <nil>
	// not connected: the client is closed
}

// A readiness probe. The program examples/readiness shows the probe under faults.
func ExampleServer_Status() {
	srv := amqprpc.NewServer("amqp://localhost/", amqprpc.WithLogger(nil))
	Fib.Register(srv, fib)
	probe := func(w http.ResponseWriter, _ *http.Request) {
		if err := srv.Status().Err(); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
		}
	}
	w := httptest.NewRecorder()
	probe(w, nil)
	fmt.Print(w.Code, " ", w.Body)
	// Output: 503 not connected: Serve has not been called
}

// One client for each tenant, and one client with idempotent calls.
func ExampleClient_With() {
	cli, closeAll := connected(func(srv *amqprpc.Server) {
		amqprpc.Register(srv, "whose", func(ctx context.Context, _ amqprpc.None) (string, error) {
			req, _ := amqprpc.RequestFromContext(ctx)
			return req.Header()["tenant"], nil
		})
	})
	defer closeAll()
	ctx := context.Background()
	blue := cli.With(amqprpc.WithHeader("tenant", "blue"), amqprpc.WithIdempotent())
	fmt.Println(amqprpc.Call[amqprpc.None, string](ctx, blue, "whose", amqprpc.None{}))
	fmt.Println(amqprpc.Call[amqprpc.None, string](ctx, blue, "whose", amqprpc.None{}, amqprpc.WithHeader("tenant", "red")))
	// Output:
	// blue <nil>
	// red <nil>
}
