package amqptest

import (
	"time"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/frame"
)

// heartbeat keeps a connection's peers informed of each other, as RabbitMQ does:
// it sends after half an interval in which nothing was sent, and gives the
// client up after two whole intervals in a row in which nothing came, which is
// between two and three intervals after the last byte. A nil heartbeat is one
// that was negotiated away. All of it is under the broker's lock.
type heartbeat struct {
	c        *connection
	interval time.Duration
	sender   *time.Timer
	receiver *time.Timer
	sent     int64 // bytes, at the sender's last look
	received int64 // … at the receiver's
	silent   bool  // nothing had come at the receiver's last look
	paused   pause // why the broker itself does not read
	stopped  bool
}

func startHeartbeat(c *connection, interval time.Duration) *heartbeat {
	if interval == 0 {
		return nil
	}
	h := &heartbeat{c: c, interval: interval, sent: -1, received: -1}
	h.sender = time.AfterFunc(interval/2, h.send)
	h.receiver = time.AfterFunc(interval, h.receive)
	return h
}

func (h *heartbeat) send() {
	b := h.c.b
	b.lock()
	defer b.release()
	if h.stopped {
		return
	}
	if sent := h.c.link.sent.Load(); sent == h.sent || h.sent < 0 {
		h.c.out.add(frame.AppendHeartbeat)
		h.c.toWake()
		// Its own bytes are no reason to leave the next one out.
		h.sent = sent + int64(frame.Overhead)
	} else {
		h.sent = sent
	}
	h.sender.Reset(h.interval / 2)
}

func (h *heartbeat) receive() {
	b := h.c.b
	b.lock()
	defer b.release()
	if h.stopped {
		return
	}
	received := h.c.link.received.Load()
	switch {
	case h.paused != 0 || received != h.received:
		h.received, h.silent = received, false
	case !h.silent:
		h.silent = true
	default:
		h.c.log.Warn("missed heartbeats from client", "timeout", h.interval)
		h.c.drop()
		return
	}
	h.receiver.Reset(h.interval)
}

// pause is a set of reasons for which the broker does not read: then silence is
// no fault of the client's.
type pause uint8

const (
	pauseUnread  pause = 1 << iota // the client does not read its answers
	pauseBlocked                   // publishers are blocked
	pauseFrozen                    // a test said so
)

func (h *heartbeat) pause(why pause) {
	if h != nil {
		h.paused |= why
	}
}

func (h *heartbeat) resume(why pause) {
	if h != nil && h.paused&why != 0 {
		h.paused &^= why
		h.silent = false
	}
}

func (h *heartbeat) stop() {
	if h != nil {
		h.stopped = true
		h.sender.Stop()
		h.receiver.Stop()
	}
}
