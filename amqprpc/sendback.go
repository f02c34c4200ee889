package amqprpc

import (
	"context"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// sendBackPatience is how long the broker's word is waited for that it has a
// request which was sent back.
const sendBackPatience = 5 * time.Second

// sendBacks sends requests back to their queues, one at a time and confirmed: a
// queue that a policy bounds may refuse what it had held before. It is a rare way,
// and so goes through the driver.
type sendBacks struct {
	mu      sync.Mutex
	ch      *amqp.Channel // opened when first wanted
	returns chan amqp.Return
}

// send publishes p to queue, and reports whether it is certain to be there. ctx is
// the lane's.
func (b *sendBacks) send(ctx context.Context, l *link, queue string, p amqp.Publishing) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if ctx.Err() != nil || !b.open(l) {
		return false
	}
	confirm, err := b.ch.PublishWithDeferredConfirm("", queue, true, false, p)
	if err != nil {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, sendBackPatience)
	defer cancel()
	if acked, err := confirm.WaitContext(ctx); err != nil || !acked {
		b.ch.Close() // what is still to come of it is nobody's
		return false
	}
	select {
	case <-b.returns: // it comes before the confirm
		return false
	default:
		return true
	}
}

// open makes sure that there is a channel.
func (b *sendBacks) open(l *link) bool {
	if b.ch != nil && !b.ch.IsClosed() {
		return true
	}
	ch, _, err := l.open()
	if err != nil {
		return false
	}
	if ch.Confirm(false) != nil {
		return false
	}
	b.ch, b.returns = ch, ch.NotifyReturn(make(chan amqp.Return, 1))
	return true
}
