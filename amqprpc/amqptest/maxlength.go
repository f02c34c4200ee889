package amqptest

// What a full queue does (https://www.rabbitmq.com/docs/maxlength).
const (
	overflowDrop      = "drop-head"
	overflowReject    = "reject-publish"
	overflowRejectDLX = "reject-publish-dlx"
)

// overflows reports whether one more message is over the queue's limits.
func (q *queue) overflows(m *message) bool {
	o := &q.opts
	return o.maxLength >= 0 && int64(q.ready.n)+1 > o.maxLength ||
		o.maxBytes >= 0 && q.ready.bytes+int64(len(m.body)) > o.maxBytes
}

// refuses reports whether the queue is full and does not make room.
func (q *queue) refuses(m *message) bool {
	if q.opts.quorum {
		return q.refusing
	}
	return q.opts.overflow != overflowDrop && q.overflows(m)
}

// dropOverflow drops ready messages from the head until the limits are kept.
func (q *queue) dropOverflow() {
	o := &q.opts
	if o.overflow != overflowDrop || o.maxLength < 0 && o.maxBytes < 0 {
		return
	}
	for q.ready.n > 0 && (o.maxLength >= 0 && int64(q.ready.n) > o.maxLength ||
		o.maxBytes >= 0 && q.ready.bytes > o.maxBytes) {
		e := q.pop()
		q.deadLetter(e, deadMaxlen)
	}
}
