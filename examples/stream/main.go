// Stream shows the three kinds of streams: a live price feed that its reader leaves, an
// upload that fails half way and one that succeeds, and a chat.
//
//	go run ./examples/stream
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
)

func main() {
	url := flag.String("url", os.Getenv("AMQP_URL"), "`URL` of a RabbitMQ; default $AMQP_URL, or else a broker inside the program")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, *url, os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "stream:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, url string, out io.Writer) (err error) {
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

	market, warehouse, room := newMarket(), newWarehouse(), newRoom()
	// A member of the chat who reads nothing for 10 s is thrown out, so that the room goes on.
	srv := amqprpc.NewServer(url, amqprpc.WithLogger(nil), amqprpc.WithStallLimit(10*time.Second))
	// Expires makes the broker delete this example's unused queues.
	short := amqprpc.WithQueue(amqprpc.Queue{Expires: time.Minute})
	Prices.Register(srv, market.prices, short)
	Import.Register(srv, warehouse.load, short)
	Chat.Register(srv, room.chat, short)
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
		err = errors.Join(err, <-served)
	}()

	if err := followPrices(ctx, cli, market, out); err != nil {
		return err
	}
	if err := importStock(ctx, cli, warehouse, out); err != nil {
		return err
	}
	return talk(ctx, cli, out)
}
