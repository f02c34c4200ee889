// Shop is a shop of three services, orders, inventory and pricing, with all the middleware of
// this module switched on. The program runs all of them, lets customers place orders, and
// kills servers meanwhile. It prints traces, log lines, what retries, hedges and breakers do,
// and a scrape.
//
//	cd examples/shop && go run .
//
// The command needs only Go: it has a broker inside. To use your own RabbitMQ, give -url, or
// set AMQP_URL in the environment.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
)

func main() {
	url := flag.String("url", os.Getenv("AMQP_URL"), "`URL` of a RabbitMQ; default $AMQP_URL, or else a broker inside the program")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if *url == "" {
		broker := amqptest.NewBroker()
		defer broker.Close()
		*url = broker.URL()
	}
	if err := run(ctx, *url, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "shop:", err)
		stop()
		os.Exit(1)
	}
}
