package amqprpc_test

import (
	"context"
	"fmt"
	"strings"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/compress"
)

// A client compresses its requests, and gets compressed replies. Handlers and middleware do
// not notice.
func ExampleWithCompression() {
	wire := func(next amqprpc.Invoker) amqprpc.Invoker {
		return func(ctx context.Context, req *amqprpc.Request) (*amqprpc.Response, error) {
			d := req.Delivery()
			fmt.Printf("%q, smaller: %v\n", d.ContentEncoding, len(d.Body) < len(req.Body())/10)
			return next(ctx, req)
		}
	}
	cli, closeAll := connected(func(srv *amqprpc.Server) {
		amqprpc.Register(srv, "count", func(_ context.Context, text string) (int, error) {
			return strings.Count(text, "tea"), nil
		}, amqprpc.WithMiddleware(wire))
	}, amqprpc.WithCompression(compress.Gzip{}))
	defer closeAll()

	ctx := context.Background()
	fmt.Println(amqprpc.Call[string, int](ctx, cli, "count", strings.Repeat("tea and ", 1000)))
	fmt.Println(amqprpc.Call[string, int](ctx, cli, "count", "tea")) // too small to compress
	// Output:
	// "gzip", smaller: true
	// 1000 <nil>
	// "", smaller: false
	// 1 <nil>
}
