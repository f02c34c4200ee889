package promrpc

import (
	"context"
	"time"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
)

// Observe measures a request as the middleware does.
func (m *Metrics) Observe(ctx context.Context, req *amqprpc.Request, err error, took time.Duration) {
	m.observe(ctx, req, nil, err, took)
}
