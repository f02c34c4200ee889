package amqptest

import "time"

// A message expires only at the head of its queue, as in RabbitMQ's classic queues
// (https://www.rabbitmq.com/docs/ttl).

// ttlOf is a message's time to live in the queue: the shorter of the message's expiration and
// the queue's TTL, negative for no limit.
func (q *queue) ttlOf(m *message) int64 {
	if m.ttl >= 0 && (q.opts.ttl < 0 || m.ttl < q.opts.ttl) {
		return m.ttl
	}
	return q.opts.ttl
}

// dropExpired removes expired messages from the head and sets the timer for the
// next one.
func (q *queue) dropExpired() {
	now := q.vhost.b.now()
	for h := q.ready.head(); h != nil; h = q.ready.head() {
		if h.expires == 0 {
			return
		}
		if h.expires > now {
			q.setTTLTimer(h.expires, now)
			return
		}
		e := q.pop()
		q.deadLetter(e, deadExpired)
	}
}

// setTTLTimer sets the timer for the given time, unless it fires earlier. A timer that fires too
// early sets itself again, which costs less than a reset for every message.
func (q *queue) setTTLTimer(at, now int64) {
	if q.ttlAt != 0 && q.ttlAt <= at {
		return
	}
	q.ttlAt = at
	wait := time.Duration(at - now)
	if q.ttlTimer == nil {
		q.ttlTimer = time.AfterFunc(wait, q.onTTL)
		return
	}
	q.ttlTimer.Reset(wait)
}

func (q *queue) onTTL() {
	b := q.vhost.b
	b.lock()
	defer b.release()
	if q.deleted || b.closed {
		return
	}
	q.ttlAt = 0
	q.dropExpired()
}

// restartExpiry restarts the time after which an unused queue is deleted (x-expires). A
// declaration, a get and the end of the last consumer do that.
func (q *queue) restartExpiry() {
	if q.opts.expires == 0 || q.consumers.n > 0 || q.deleted {
		if q.expiryTimer != nil && q.opts.expires == 0 {
			q.expiryTimer.Stop() // its policy was deleted
		}
		return
	}
	q.expiresAt = q.vhost.b.now() + int64(q.opts.expires)
	if q.expiryTimer == nil {
		q.expiryTimer = time.AfterFunc(q.opts.expires, q.onExpiry)
		return
	}
	q.expiryTimer.Reset(q.opts.expires)
}

func (q *queue) onExpiry() {
	b := q.vhost.b
	b.lock()
	defer b.release()
	if q.deleted || b.closed || q.opts.expires == 0 || q.consumers.n > 0 || b.now() < q.expiresAt {
		return
	}
	q.delete()
}

func (q *queue) stopTimers() {
	if q.ttlTimer != nil {
		q.ttlTimer.Stop()
	}
	if q.expiryTimer != nil {
		q.expiryTimer.Stop()
	}
}
