// Idempotent charges a card once although the request arrives more than once: the caller
// times out and calls again, the server loses its connection before the ack, and a publisher
// sends the message twice.
//
//	go run ./examples/idempotent
//
// This command needs only Go. To use your own RabbitMQ, give -url, or set AMQP_URL in the
// environment.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"time"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
	"github.com/bbebcec1/amqprpc-go/middleware/idempotency"
)

// Payment is the request.
type Payment struct {
	Card  string `json:"card"`
	Cents int    `json:"cents"`
}

// Receipt is the answer.
type Receipt struct {
	Number int `json:"number"`
	Cents  int `json:"cents"`
}

// Charge is the contract.
const Charge amqprpc.Method[Payment, Receipt] = "examples.charge"

func main() {
	url := flag.String("url", os.Getenv("AMQP_URL"), "`URL` of a RabbitMQ; default $AMQP_URL, or else a broker inside the program")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, *url, os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "idempotent:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, url string, output io.Writer) (err error) {
	out := &lines{out: output}
	if url == "" {
		broker := amqptest.NewBroker()
		defer broker.Close()
		url = broker.URL()
	}
	dialing, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	cli, err := amqprpc.Dial(dialing, url, amqprpc.WithLogger(nil))
	if err != nil {
		return err
	}
	defer cli.Close()

	line := &wire{} // the server's connection, which this program can cut
	bank := newBank(out)
	// Put authentication and validation before the idempotency middleware. The store must not
	// keep their refusals, and the middleware sends a stored answer to any caller that knows
	// its ID. Several servers need a shared store, for example
	// middleware/idempotency/redisstore.
	srv := amqprpc.NewServer(url, amqprpc.WithLogger(nil), amqprpc.WithDialer(line.dial), amqprpc.WithMiddleware(
		idempotency.New(idempotency.NewMemoryStore(10_000, 24*time.Hour), idempotency.WithReplayHeader("replayed")),
	))
	// Expires makes the broker delete this example's unused queue.
	Charge.Register(srv, bank.charge, amqprpc.WithQueue(amqprpc.Queue{Expires: time.Minute}))
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
		bank.close()
		stop()
		err = errors.Join(err, <-served)
	}()

	s := &shop{out: out, cli: cli, bank: bank, line: line, url: url, run: fmt.Sprint(time.Now().UnixNano())}
	for _, step := range []func(context.Context) error{s.impatient, s.cutOff, s.publishedTwice, s.declined, s.busy, s.mistaken} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	charges, cents := bank.total()
	fmt.Fprintf(out, "\nin the bank's books: %d charges, %d cents\n", charges, cents)
	return nil
}
