// Middleware shows what your own middleware can do on both sides of a call: read and write
// the metadata of request and reply, refuse a request before it is decoded, and answer from a
// cache without a call.
//
//	go run ./examples/middleware
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

// Price is the contract: the request is an article's name, the reply its price in cents.
const Price amqprpc.Method[string, int] = "examples.price"

func main() {
	url := flag.String("url", os.Getenv("AMQP_URL"), "`URL` of a RabbitMQ; default $AMQP_URL, or else a broker inside the program")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, *url, os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "middleware:", err)
		os.Exit(1)
	}
}

// price is the handler. It does not depend on the middleware, but it can also read and add
// metadata.
func price(ctx context.Context, article string) (int, error) {
	cents, known := map[string]int{"tea": 350, "coffee": 420}[article]
	if !known {
		return 0, amqprpc.Errorf(amqprpc.CodeNotFound, "no article %q", article)
	}
	amqprpc.ReplyHeader(ctx)["currency"] = "EUR"
	return cents, nil
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
	// The first middleware is the outermost. Requests that the cache answers are neither
	// tagged nor sent.
	cache := newCache()
	cli, err := amqprpc.Dial(dialing, url, quiet,
		amqprpc.WithMiddleware(cache.answer, tagCaller("till 3")))
	if err != nil {
		return err
	}
	defer cli.Close()

	srv := amqprpc.NewServer(url, quiet,
		amqprpc.WithMiddleware(servedBy("server 1"), requireToken("sesame")))
	// Expires makes the broker delete this example's unused queue.
	Price.Register(srv, price, amqprpc.WithQueue(amqprpc.Queue{Expires: time.Minute}))
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

	show(ctx, cli, out)
	fmt.Fprintf(out, "\nthe server handled %d requests; the cache answered %d\n", srv.Stats().Handled, cache.hits)
	return nil
}

// show makes the calls and prints their results.
func show(ctx context.Context, cli *amqprpc.Client, out io.Writer) {
	token := amqprpc.WithHeader("authorization", "sesame")
	for _, c := range []struct {
		about   string
		article string
		opts    []amqprpc.CallOption
	}{
		{"with a token", "tea", []amqprpc.CallOption{token}},
		{"the same once more", "tea", []amqprpc.CallOption{token}},
		{"another, which is not there", "gold", []amqprpc.CallOption{token}},
		{"without a token", "coffee", nil},
	} {
		var reply amqprpc.Header
		cents, err := Price.Call(ctx, cli, c.article, append(c.opts, amqprpc.WithReplyHeader(&reply))...)
		fmt.Fprintf(out, "%s: price(%q)\n", c.about, c.article)
		if err != nil {
			fmt.Fprintf(out, "  error        %v\n  outcome      %v\n", err, amqprpc.OutcomeOf(err))
		} else {
			fmt.Fprintf(out, "  cents        %d\n", cents)
		}
		for _, name := range []string{"currency", "caller-seen", "served-by", "cache"} {
			if v, ok := reply[name]; ok {
				fmt.Fprintf(out, "  %-12s %s\n", name, v)
			}
		}
	}
	// This body does not decode. The server refuses the request before it parses the body.
	_, err := amqprpc.Call[int, int](ctx, cli, string(Price), 42)
	fmt.Fprintf(out, "nonsense without a token\n  error        %v\n", err)
	_, err = amqprpc.Call[int, int](ctx, cli, string(Price), 42, token)
	fmt.Fprintf(out, "nonsense with a token\n  code         %v\n", amqprpc.CodeOf(err))
}
