package amqprpc

import (
	"strconv"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// deadline is when a request expires; the zero value is never.
type deadline struct{ at time.Time }

// into writes what is left until the deadline into a message that is about to be
// sent: as expiration, by which the broker drops what nobody waits for any more,
// and as rpc-deadline.
func (d deadline) into(p *amqp.Publishing, cache *expiryCache) {
	if d.at.IsZero() {
		return
	}
	left := time.Until(d.at)
	p.Expiration = cache.text(max(int64((left+time.Millisecond-1)/time.Millisecond), 1))
	p.Headers[headerDeadline] = cache.boxed(d.at.UnixMilli())
}

// expiryCache remembers the last expiration and deadline as they are sent:
// neighbouring calls mostly have the same ones.
type expiryCache struct {
	millis   int64
	rendered string
	at       int64
	value    any
}

func (c *expiryCache) text(millis int64) string {
	if c.rendered == "" || c.millis != millis {
		c.millis, c.rendered = millis, strconv.FormatInt(millis, 10)
	}
	return c.rendered
}

func (c *expiryCache) boxed(at int64) any {
	if c.value == nil || c.at != at {
		c.at, c.value = at, at
	}
	return c.value
}

// requestDeadline is when the handler of a received request must be done: the
// earlier of its expiration, counted from its arrival on the local clock, and
// its rpc-deadline, for which the sender's clock is trusted up to skew. It is
// zero if the request has neither.
func requestDeadline(in *inbound, skew time.Duration) (time.Time, error) {
	var at time.Time
	if in.expires >= 0 {
		at = in.arrived.Add(in.expires)
	}
	ms, ok := in.statedDeadline()
	if !ok {
		if v, is := in.d.Headers[headerDeadline]; is {
			return at, Errorf(CodeInvalidArgument, "the header %s is %T, not an integer (unix milliseconds)", headerDeadline, v)
		}
		return at, nil
	}
	if stated := time.UnixMilli(ms).Add(skew); at.IsZero() || stated.Before(at) {
		at = stated
	}
	return at, nil
}

// statedDeadline is a request's rpc-deadline, in unix milliseconds by its sender's
// clock.
func (in *inbound) statedDeadline() (millis int64, ok bool) {
	if in.plain {
		return in.stated, true
	}
	return integerField(in.d.Headers[headerDeadline])
}

// expiration is what a message's expiration says, -1 if it has none.
func expiration(s string) time.Duration {
	ms, err := strconv.ParseInt(s, 10, 64)
	if err != nil || ms < 0 || ms >= maxDeadlineMillis {
		return -1
	}
	return time.Duration(ms) * time.Millisecond
}

// maxDeadlineMillis is ten years, RabbitMQ's own limit of an expiration; beyond
// it a Duration would overflow.
const maxDeadlineMillis = 10 * 365 * 24 * 3600 * 1000
