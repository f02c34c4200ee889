package zstd_test

import (
	"context"
	"fmt"
	"log"
	"strings"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
	"github.com/bbebcec1/amqprpc-go/compress"
	"github.com/bbebcec1/amqprpc-go/compress/zstd"
)

// The server takes zstd, and gzip from other callers. The client sends zstd.
func ExampleNew() {
	broker := amqptest.NewBroker()
	defer broker.Close()
	encoding := zstd.New(0) // one for the program

	srv := amqprpc.NewServer(broker.URL(), amqprpc.WithLogger(nil), amqprpc.WithAcceptedEncodings(encoding, compress.Gzip{}))
	amqprpc.Register(srv, "count", func(ctx context.Context, text string) (string, error) {
		req, _ := amqprpc.RequestFromContext(ctx)
		return fmt.Sprintf("%d × tea, sent with %s", strings.Count(text, "tea"), req.Delivery().ContentEncoding), nil
	})
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error)
	go func() { served <- srv.Serve(ctx) }()
	<-srv.Ready()
	defer func() { <-served }()
	defer stop()

	cli, err := amqprpc.Dial(ctx, broker.URL(), amqprpc.WithLogger(nil), amqprpc.WithCompression(encoding))
	if err != nil {
		log.Fatal(err)
	}
	defer cli.Close()
	fmt.Println(amqprpc.Call[string, string](ctx, cli, "count", strings.Repeat("tea and ", 1000)))
	// Output:
	// 1000 × tea, sent with zstd <nil>
}
