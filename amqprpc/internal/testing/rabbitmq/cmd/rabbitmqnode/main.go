// Command rabbitmqnode runs a private RabbitMQ node in the foreground, for experiments:
//
//	go run ./amqprpc/internal/testing/rabbitmq/cmd/rabbitmqnode -version 4.0
//
// It prints the node's URL on standard output. It stops the node and deletes the node's
// data when it is interrupted or when its standard input ends.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/testing/rabbitmq"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr); err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(os.Stderr, err)
		}
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) (err error) {
	var cfg rabbitmq.Config
	flags := flag.NewFlagSet("rabbitmqnode", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&cfg.Version, "version", rabbitmq.DefaultVersion, "release series: 3.10, 4.0 or 4.3")
	flags.Func("conf", "a further `line` of rabbitmq.conf; may be repeated", func(line string) error {
		cfg.Conf = append(cfg.Conf, line)
		return nil
	})
	flags.Func("plugins", "`names` of plugins to enable, separated by commas", func(names string) error {
		cfg.Plugins = append(cfg.Plugins, strings.Split(names, ",")...)
		return nil
	})
	if err := flags.Parse(args); err != nil {
		return err
	}
	node, err := rabbitmq.Start(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, node.Stop()) }()
	fmt.Fprintln(stdout, node.URL())
	fmt.Fprintf(stderr, "RabbitMQ %s, process %d; Ctrl-C or end of input stops it and deletes its data\n", node.Version(), node.PID())

	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = io.Copy(io.Discard, stdin)
	}()
	select {
	case <-ctx.Done():
	case <-ended:
	}
	return nil
}
