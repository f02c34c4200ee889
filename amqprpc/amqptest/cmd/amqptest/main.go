// Amqptest serves an in-memory AMQP 0-9-1 broker on a port of its own, so that
// several processes and clients of any language can use what tests use:
//
//	go run ./amqprpc/amqptest/cmd/amqptest -addr 127.0.0.1:5680
//
// It keeps nothing: when it ends, queues and messages are gone. It listens on
// loopback unless -addr names another address, and ends on an interrupt.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"

	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// releases are those that -follow knows. Nothing changes the map.
var releases = map[string]amqptest.Version{
	"3.10": amqptest.RabbitMQ310, "4.0": amqptest.RabbitMQ40, "4.3": amqptest.RabbitMQ43,
}

// run serves until ctx is done.
func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("amqptest", flag.ContinueOnError)
	flags.SetOutput(out)
	addr := flags.String("addr", "127.0.0.1:5680", "the `address` to listen on; another host than loopback opens it to the network")
	user := flags.String("user", "guest", "the user's `name`")
	password := flags.String("password", "guest", "the user's password")
	vhosts := flags.String("vhosts", "", "further virtual hosts, `separated by commas`")
	follow := flags.String("follow", "3.10", "the `release` of RabbitMQ to follow: 3.10, 4.0 or 4.3")
	verbose := flags.Bool("v", false, "say what happens to connections and channels")
	if err := flags.Parse(args); err != nil {
		return err
	}
	release, ok := releases[*follow]
	if !ok {
		return fmt.Errorf("amqptest: -follow %s: want 3.10, 4.0 or 4.3", *follow)
	}
	opts := []amqptest.Option{amqptest.WithUser(*user, *password), amqptest.Follow(release)}
	if *vhosts != "" {
		opts = append(opts, amqptest.WithVHosts(strings.Split(*vhosts, ",")...))
	}
	if *verbose {
		opts = append(opts, amqptest.WithLogger(slog.New(slog.NewTextHandler(out,
			&slog.HandlerOptions{Level: slog.LevelDebug}))))
	}
	b, err := amqptest.Listen(*addr, opts...)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "amqptest: an AMQP 0-9-1 broker in memory, for tests: it keeps nothing.\n"+
		"amqptest: listening on %s as user %s. Interrupt it to end.\n", b.Addr(), *user)
	<-ctx.Done()
	fmt.Fprintln(out, "amqptest: closing; queues and messages are gone.")
	return b.Close()
}
