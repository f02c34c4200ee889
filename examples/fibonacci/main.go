// Fibonacci is RabbitMQ's RPC tutorial, played with amqprpc, with answers to the
// questions that the tutorial leaves open.
//
//	go run ./examples/fibonacci
//
// needs nothing but Go: a broker, a server and a client run in one process. With
// two terminals:
//
//	go run ./examples/fibonacci -role server
//	go run ./examples/fibonacci -role client -n 30
//
// The first server brings a broker along, at 127.0.0.1:5680; further servers share
// the work. A RabbitMQ of your own is used with -url, or AMQP_URL in the
// environment.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Getenv("AMQP_URL"), os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// defaultAddr is where the first server's broker listens when no URL is given, and
// where clients and further servers then look for it. It is not RabbitMQ's port, so
// that one that runs here is left alone.
const defaultAddr = "127.0.0.1:5680"

// program is one run.
type program struct {
	url     string // "" for a broker of our own
	addr    string // of that broker, where processes share it
	n       int
	verbose bool
	stdout  io.Writer
	log     *slog.Logger
	patient time.Duration // how long to wait for the broker
}

// run is main with everything that it depends on. It returns the exit code: 0, 1
// for a failure, 2 for wrong usage.
func run(ctx context.Context, args []string, envURL string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("fibonacci", flag.ContinueOnError)
	flags.SetOutput(stderr)
	url := flags.String("url", envURL, "`URL` of a RabbitMQ, amqp://user:password@host:port/vhost; default $AMQP_URL,\nor else a broker inside the program")
	role := flags.String("role", "both", "what to be: both, server or client")
	n := flags.Int("n", 30, "which Fibonacci number the client asks for")
	verbose := flags.Bool("v", false, "log what server and client do, to standard error")
	addr := flags.String("addr", defaultAddr, "where roles server and client meet when there is no URL, `host:port`")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return 2
	}
	p := &program{
		url: *url, addr: *addr, n: *n, verbose: *verbose, stdout: stdout,
		log:     slog.New(slog.DiscardHandler),
		patient: 5 * time.Second,
	}
	switch {
	case *verbose:
		p.log = slog.New(slog.NewTextHandler(stderr, nil))
	case *role == "server": // it waits for its broker for ever, and so must say why
		p.log = slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	}
	play, known := map[string]func(context.Context) error{
		"both": p.both, "server": p.server, "client": p.client,
	}[*role]
	switch {
	case flags.NArg() > 0:
		fmt.Fprintf(stderr, "fibonacci: what is %q? Options begin with a dash; -h lists them\n", flags.Arg(0))
		return 2
	case !known:
		fmt.Fprintf(stderr, "fibonacci: -role is both, server or client, not %q\n", *role)
		return 2
	}
	if err := play(ctx); err != nil {
		if ctx.Err() != nil {
			err = errors.New("interrupted")
		}
		fmt.Fprintln(stderr, "fibonacci:", err)
		return 1
	}
	return 0
}

func (p *program) printf(format string, args ...any) { fmt.Fprintf(p.stdout, format, args...) }
