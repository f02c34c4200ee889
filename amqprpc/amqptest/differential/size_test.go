package differential

import (
	"context"
	"fmt"

	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/testing/rabbitmq"
)

// limitMessages sets a node's greatest message; zero is the release's own.
func limitMessages(n int) func(context.Context, *rabbitmq.Node) error {
	return func(ctx context.Context, node *rabbitmq.Node) error {
		if n == 0 {
			n = 16 << 20
			if node.Version() == followed {
				n = 128 << 20
			}
		}
		_, err := node.Ctl(ctx, "eval", fmt.Sprintf("application:set_env(rabbit, max_message_size, %d), persistent_term:put(max_message_size, %d).", n, n))
		return err
	}
}

func sizeOptions(n int) []amqptest.Option {
	return []amqptest.Option{amqptest.WithMaxMessageSize(n)}
}
