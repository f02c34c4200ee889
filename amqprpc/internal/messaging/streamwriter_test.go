package messaging

import (
	"context"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
)

// What is queued on a connection that is lost waits for the next one, and nothing runs
// meanwhile: time could not pass here.
func TestStreamWriterOnALostConnection(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		broker := amqptest.Start(t, amqptest.WithoutListener())
		w := &StreamWriter{Log: slog.New(slog.DiscardHandler)}
		w.Init()
		lost := connect(t, broker)
		w.use(t.Context(), lost)
		lost.Abort()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		w.Flush(ctx)
		require.Error(t, ctx.Err())
		w.leave()

		w.Lost = func() {}
		work, stop := context.WithCancel(t.Context())
		w.use(work, connect(t, broker))
		w.Flush(t.Context())
		stop()
		w.leave()
	})
}
