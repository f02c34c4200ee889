package amqprpc

import (
	"context"
	"sync"
	"time"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/frame"
)

const (
	replyAckBatch = 256                    // replies acknowledged at once, at most
	replyAckDelay = 100 * time.Millisecond // and at the latest
)

// replyAcks gathers the acknowledgements of replies. They are not urgent: what
// is not acknowledged when a connection is lost comes again, and is dropped as
// late or repeated.
type replyAcks struct {
	first chan struct{} // receives when there is something to acknowledge
	full  chan struct{} // receives when it is a batch

	mu    sync.Mutex
	tag   uint64
	count int
}

func (a *replyAcks) init() { a.first, a.full = make(chan struct{}, 1), make(chan struct{}, 1) }

// note notes a reply. It never waits.
func (a *replyAcks) note(tag uint64) {
	a.mu.Lock()
	a.tag = tag
	a.count++
	count := a.count
	a.mu.Unlock()
	switch count {
	case 1:
		signal(a.first)
	case replyAckBatch:
		signal(a.full)
	}
}

// take returns the tag up to which replies are to be acknowledged.
func (a *replyAcks) take() (tag uint64, ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	ok = a.count > 0
	a.count = 0
	select {
	case <-a.full:
	default:
	}
	return a.tag, ok
}

// acknowledge acknowledges replies until ctx is done.
func (ep *clientEpoch) acknowledge(ctx context.Context) {
	delay := time.NewTimer(replyAckDelay)
	defer delay.Stop()
	for {
		select {
		case <-ep.acks.first:
		case <-ctx.Done():
			return
		}
		delay.Reset(replyAckDelay)
		select {
		case <-delay.C:
		case <-ep.acks.full:
		case <-ctx.Done():
			return
		}
		if tag, ok := ep.acks.take(); ok {
			ack := frame.BasicAck{DeliveryTag: tag, Multiple: true}
			// An error of it is the connection's end, which is learned elsewhere.
			ep.replies.write(ack.AppendFrame(nil, ep.replies.tap.channel))
		}
	}
}
