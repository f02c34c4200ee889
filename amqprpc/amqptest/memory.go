package amqptest

import "github.com/bbebcec1/amqprpc-go/amqprpc/internal/frame"

const lowOnMemory = "low on memory"

// mustBlock reports whether connections that publish are stopped.
func (b *Broker) mustBlock() bool { return b.alarm || b.blocking != "" }

func (b *Broker) blockReason() string {
	if b.blocking != "" {
		return b.blocking
	}
	return lowOnMemory
}

// checkMemory raises the memory alarm when messages occupy more than the limit
// and clears it when a tenth of the limit is free.
func (b *Broker) checkMemory() {
	limit := b.cfg.memoryLimit
	used := b.held + b.arriving.Load()
	switch {
	case !b.alarm && used > limit:
		b.alarm = true
		b.pressed.Store(true)
		b.cfg.log.Warn("memory alarm: publishers are blocked", "held", used, "limit", limit)
	case b.alarm && used <= limit-limit/10:
		b.alarm = false
		b.unblocked()
	}
}

// unblocked tells the connections that were blocked, once nothing blocks them.
func (b *Broker) unblocked() {
	if b.mustBlock() {
		return
	}
	b.pressed.Store(false)
	for c := range b.conns {
		if c.told {
			c.told = false
			c.send(0, &frame.ConnectionUnblocked{})
		}
	}
	b.unblock.Broadcast()
}

// tellBlocked sends connection.blocked, once, to a client that understands it.
func (c *connection) tellBlocked() {
	if c.hearsBlock && !c.told {
		c.told = true
		c.send(0, &frame.ConnectionBlocked{Reason: c.b.blockReason()})
	}
}
