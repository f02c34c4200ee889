package amqprpc

import (
	"slices"
	"strings"

	amqp "github.com/rabbitmq/amqp091-go"
)

// completion is what a worker has the lane's writer do: send a message, then
// acknowledge or reject a delivery, or one of both.
type completion struct {
	to     string // where the message goes; "" is nowhere
	reply  amqp.Publishing
	tag    uint64 // of the delivery; 0 is none
	reject bool   // instead of acknowledging: never to be delivered again, but to be dead-lettered
	final  *lane  // of the request, where nothing more is to be done for it
}

// writeBatch bounds how many replies go before their acknowledgements.
const writeBatch = 64

// write replies and acknowledges what handlers complete, until all of the lane's
// requests are completed. It is the only goroutine that does, on the channel that
// the requests came from: the broker keeps the order of what one channel sends,
// so that an acknowledgement never overtakes its reply.
func (ln *lane) write() {
	acks := acknowledgements{next: 1}
	for c := range ln.out {
		ln.link.sock.cork()
		for n := 1; ; n++ {
			ln.apply(&acks, c)
			if n == writeBatch {
				break
			}
			var more bool
			select {
			case c, more = <-ln.out:
			default:
			}
			if !more {
				break
			}
		}
		acks.flush(ln.ch)
		ln.link.sock.uncork()
	}
}

// apply publishes one reply and notes its acknowledgement. Errors are the
// channel's end, which the lane learns elsewhere.
func (ln *lane) apply(acks *acknowledgements, c *completion) {
	if ln.ctx.Err() != nil {
		return
	}
	if c.to != "" {
		// 3.10 and 4.0 both deliver a mandatory message to a direct reply-to
		// address and return it.
		mandatory := !strings.HasPrefix(c.to, directReplyTo)
		ln.ch.Publish("", c.to, mandatory, false, c.reply)
	}
	if c.final != nil {
		c.final.left.Add(-1)
		ln.queue.server.stats.handled.Add(1)
	}
	switch {
	case c.tag == 0:
	case c.reject:
		ln.ch.Reject(c.tag, false)
		acks.settled(c.tag)
	default:
		acks.add(c.tag)
	}
}

// acknowledgements gathers delivery tags: the run without a gap from the lowest
// outstanding one on goes out as one ack of multiple, and those beyond a gap go
// singly, since waiting for a slow handler to close the gap would fill the
// prefetch window.
type acknowledgements struct {
	next  uint64              // the lowest tag that is not settled
	ahead map[uint64]struct{} // tags settled beyond next
	batch []uint64
}

type acker interface {
	Ack(tag uint64, multiple bool) error
}

func (a *acknowledgements) add(tag uint64) { a.batch = append(a.batch, tag) }

// settled notes a tag that needs no acknowledgement any more.
func (a *acknowledgements) settled(tag uint64) {
	if tag != a.next {
		if a.ahead == nil {
			a.ahead = make(map[uint64]struct{})
		}
		a.ahead[tag] = struct{}{}
		return
	}
	a.next++
	for len(a.ahead) > 0 {
		if _, ok := a.ahead[a.next]; !ok {
			return
		}
		delete(a.ahead, a.next)
		a.next++
	}
}

func (a *acknowledgements) flush(ch acker) {
	if len(a.batch) == 0 {
		return
	}
	slices.Sort(a.batch)
	run, length := uint64(0), 0
	for _, tag := range a.batch {
		if tag == a.next {
			a.settled(tag)
			run = tag
			length++
			continue
		}
		if length > 0 {
			ch.Ack(run, length > 1)
			length = 0
		}
		ch.Ack(tag, false)
		a.settled(tag)
	}
	if length > 0 {
		ch.Ack(run, length > 1)
	}
	a.batch = a.batch[:0]
}
