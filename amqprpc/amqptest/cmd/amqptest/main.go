// Amqptest serves an in-memory AMQP 0-9-1 broker on ports of its own, so that
// several processes and clients of any language can use what tests use:
//
//	go run ./amqprpc/amqptest/cmd/amqptest -addr 127.0.0.1:5680
//
// It keeps nothing: when it ends, queues and messages are gone. It listens on
// loopback unless -addr names another address, and ends on an interrupt. With
// -management it also serves a sliver of RabbitMQ's management HTTP API.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"time"

	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest/management"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run serves until ctx is done.
func run(ctx context.Context, args []string, out io.Writer) error {
	s, err := parse(args, out)
	if err != nil {
		return err
	}
	b, err := amqptest.Listen(s.addr, s.options...)
	if err != nil {
		return err
	}
	err = s.prepare(b)
	var api *http.Server
	if err == nil && s.management != "" {
		api, err = serveAPI(b, s.management, out)
	}
	if err != nil {
		return errors.Join(err, b.Close())
	}
	fmt.Fprintf(out, "amqptest: an AMQP 0-9-1 broker in memory, for tests: it keeps nothing.\n"+
		"amqptest: listening on %s as user %s. Interrupt it to end.\n", b.Addr(), s.user)
	if addr := b.TLSAddr(); addr != "" {
		fmt.Fprintf(out, "amqptest: listening on %s with TLS.\n", addr)
	}
	<-ctx.Done()
	fmt.Fprintln(out, "amqptest: closing; queues and messages are gone.")
	if api != nil {
		err = api.Close()
	}
	return errors.Join(err, b.Close())
}

// serveAPI serves the management API on addr.
func serveAPI(b *amqptest.Broker, addr string, out io.Writer) (*http.Server, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("amqptest: -management: %w", err)
	}
	s := &http.Server{Handler: management.Handler(b), ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = s.Serve(l) }() // until it is closed
	fmt.Fprintf(out, "amqptest: the management API is at http://%s/api/\n", l.Addr())
	return s, nil
}
