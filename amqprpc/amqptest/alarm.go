package amqptest

import (
	"slices"
	"strings"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/frame"
)

// Alarm is one of the broker's alarms (https://www.rabbitmq.com/docs/alarms).
type Alarm uint8

// The alarms: too much memory is used, or too little of the disk is free.
const (
	MemoryAlarm Alarm = iota
	DiskAlarm
	alarms // how many there are
)

// String is the alarm's resource, memory or disk.
func (a Alarm) String() string {
	if a == DiskAlarm {
		return "disk"
	}
	return "memory"
}

// RaiseAlarm raises an alarm. The broker sends connection.blocked to every connection that
// publishes from now on, once, and reads nothing more from it, not even channel.open.
// Connections that only consume go on.
func (b *Broker) RaiseAlarm(a Alarm) {
	b.lock()
	defer b.release()
	b.raised[a] = true
	b.pressed.Store(true)
}

// ClearAlarm clears an alarm. When no alarm is left, the broker sends connection.unblocked to
// blocked connections and reads what they sent meanwhile. An alarm that queued messages
// raised ([WithMemoryLimit]) stays.
func (b *Broker) ClearAlarm(a Alarm) {
	b.lock()
	defer b.release()
	b.raised[a] = false
	b.unblocked()
}

// Alarms returns the raised alarms, memory first.
func (b *Broker) Alarms() []Alarm {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.alarmsUp()
}

func (b *Broker) alarmsUp() []Alarm {
	var up []Alarm
	for a := range alarms {
		if b.raised[a] || a == MemoryAlarm && b.full {
			up = append(up, a)
		}
	}
	return up
}

// BlockPublishers blocks publishers as an alarm does, with a reason of the test's choice. An
// empty reason is RabbitMQ's "low on memory".
func (b *Broker) BlockPublishers(reason string) {
	b.lock()
	defer b.release()
	if reason == "" {
		reason = lowOnMemory
	}
	b.blocking = reason
	b.pressed.Store(true)
}

// UnblockPublishers ends [Broker.BlockPublishers].
func (b *Broker) UnblockPublishers() {
	b.lock()
	defer b.release()
	b.blocking = ""
	b.unblocked()
}

const lowOnMemory = "low on memory"

// mustBlock reports whether connections that publish are stopped.
func (b *Broker) mustBlock() bool {
	return b.full || b.blocking != "" || slices.Contains(b.raised[:], true)
}

func (b *Broker) blockReason() string {
	if b.blocking != "" {
		return b.blocking
	}
	var resources []string
	for _, a := range b.alarmsUp() {
		resources = append(resources, a.String())
	}
	slices.Sort(resources)
	return "low on " + strings.Join(resources, " & ")
}

// checkMemory raises the memory alarm when messages occupy more than the limit
// and clears it when a tenth of the limit is free.
func (b *Broker) checkMemory() {
	limit := b.cfg.memoryLimit
	used := b.held + b.arriving.Load()
	switch {
	case !b.full && used > limit:
		b.full = true
		b.pressed.Store(true)
		b.cfg.log.Warn("memory alarm: publishers are blocked", "held", used, "limit", limit)
	case b.full && used <= limit-limit/10:
		b.full = false
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
		if c.toldBlocked {
			c.toldBlocked = false
			c.send(0, &frame.ConnectionUnblocked{})
		}
	}
	b.unblock.Broadcast()
}

// tellBlocked sends connection.blocked, once, to a client that understands it.
func (c *connection) tellBlocked() {
	if c.knowsBlocked && !c.toldBlocked {
		c.toldBlocked = true
		c.send(0, &frame.ConnectionBlocked{Reason: c.b.blockReason()})
	}
}
