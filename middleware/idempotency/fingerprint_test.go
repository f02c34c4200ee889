package idempotency_test

import (
	"context"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
	"github.com/bbebcec1/amqprpc-go/middleware/idempotency"
	"github.com/bbebcec1/amqprpc-go/middleware/internal/harness"
)

// fingerprints is a store that keeps the fingerprints of all claims.
type fingerprints struct {
	idempotency.Store
	all chan string
}

func (f fingerprints) Begin(ctx context.Context, key string, c idempotency.Claim) (idempotency.Entry, error) {
	f.all <- c.Fingerprint
	return f.Store.Begin(ctx, key, c)
}

// Bodies that nobody compares have no fingerprint: it costs a hash, and the message as JSON.
func TestNoFingerprintOfAnyBody(t *testing.T) {
	t.Parallel()
	url := amqptest.Start(t).URL()
	n := new(numbered)
	store := fingerprints{idempotency.NewMemoryStore(100, time.Hour), make(chan string, 10)}
	harness.Serve(t, url, func(s *amqprpc.Server) {
		amqprpc.Register(s, "same", n.handle, idempotentOn(store))
		amqprpc.Register(s, "any", n.handle, idempotentOn(store, idempotency.WithAnyBody()))
	})
	c := newRawCaller(t, url)
	for _, queue := range []string{"same", "any"} {
		c.ask(queue, amqp.Publishing{ContentType: "application/json", Body: []byte("1"), MessageId: "id"})
		if fingerprint := <-store.all; queue == "same" {
			require.NotEmpty(t, fingerprint)
		} else {
			require.Empty(t, fingerprint)
		}
	}
}
