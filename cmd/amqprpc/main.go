// Command amqprpc shows the services behind a RabbitMQ broker and calls their methods.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/bbebcec1/amqprpc-go/cmd/amqprpc/internal/cli"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second interrupt ends the program at once
	code := cli.Main(ctx, os.Args[1:], cli.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr})
	stop()
	os.Exit(code)
}
