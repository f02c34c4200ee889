// Fibonacci is RabbitMQ's RPC tutorial with amqprpc. It also answers the questions that the
// tutorial leaves open.
//
//	go run ./examples/fibonacci
//
// This command needs only Go: a broker, a server and a client run in one process. With two
// terminals:
//
//	go run ./examples/fibonacci -role server
//	go run ./examples/fibonacci -role client -n 30
//
// The first server also starts a broker at 127.0.0.1:5680. Further servers share the work. To
// use your own RabbitMQ, give -url, or set AMQP_URL in the environment.
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

// defaultAddr is the address of the first server's broker if no URL is given. Clients and
// further servers connect to this address. It is not RabbitMQ's port, so that the example
// does not use a local RabbitMQ by accident.
const defaultAddr = "127.0.0.1:5680"

// program is one run.
type program struct {
	url     string // "" for a private broker
	addr    string // address of the private broker that the processes share
	n       int
	verbose bool
	stdout  io.Writer
	log     *slog.Logger
	patient time.Duration // how long to wait for the broker
}

// run is main with explicit dependencies. It returns the exit code: 0, 1 for a failure, 2 for
// wrong usage.
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
		p.log = slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	case *role == "server": // a server waits for its broker without a limit, so it must log why
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
