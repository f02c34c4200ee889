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
func (d deadline) into(p *amqp.Publishing) {
	if d.at.IsZero() {
		return
	}
	left := time.Until(d.at)
	ms := int64((left + time.Millisecond - 1) / time.Millisecond)
	p.Expiration = strconv.FormatInt(max(ms, 1), 10)
	p.Headers[headerDeadline] = d.at.UnixMilli()
}

// requestDeadline is when the handler of a received request must be done: the
// earlier of its expiration, counted from its arrival on the local clock, and
// its rpc-deadline, for which the sender's clock is trusted up to skew. It is
// zero if the request has neither.
func requestDeadline(d *amqp.Delivery, arrived time.Time, skew time.Duration) (time.Time, error) {
	var at time.Time
	if ms, err := strconv.ParseInt(d.Expiration, 10, 64); err == nil && ms >= 0 && ms < maxDeadlineMillis {
		at = arrived.Add(time.Duration(ms) * time.Millisecond)
	}
	v, ok := d.Headers[headerDeadline]
	if !ok {
		return at, nil
	}
	ms, ok := integerField(v)
	if !ok {
		return at, Errorf(CodeInvalidArgument, "the header %s is %T, not an integer (unix milliseconds)", headerDeadline, v)
	}
	if stated := time.UnixMilli(ms).Add(skew); at.IsZero() || stated.Before(at) {
		at = stated
	}
	return at, nil
}

// maxDeadlineMillis is ten years, RabbitMQ's own limit of an expiration; beyond
// it a Duration would overflow.
const maxDeadlineMillis = 10 * 365 * 24 * 3600 * 1000
