package amqprpc

import (
	"encoding/binary"

	amqp "github.com/rabbitmq/amqp091-go"
)

// Replies to one client that are written together go in one message, a batch, where
// the client's requests say that it understands batches: half of what a call costs the
// broker is its reply, and it costs the broker little how long that is.

const (
	// contentTypeBatch is a batch's. Its body is, for each reply, the reply's properties
	// and its body, each after its length (32 bits, big-endian); the properties are
	// encoded as in a content header, from the flags on (AMQP 0-9-1, 4.2.6.1).
	contentTypeBatch = "application/vnd.amqprpc.replies"

	batchReply  = 4 << 10  // how long a reply may be to go in a batch
	batchBody   = 32 << 10 // how long a batch gets
	batchQueues = 16       // how many batches are gathered at a time
)

// replyBatches are the replies that are about to be written, by where they go. The zero
// value is empty.
type replyBatches struct{ open []replyBatch }

type replyBatch struct {
	to    string
	count int
	first *completion // body has it as soon as there is a second
	body  []byte
}

// appendReply adds a reply to a batch's body.
func appendReply(b []byte, p *amqp.Publishing) []byte {
	at := len(b)
	b = appendProperties(append(b, 0, 0, 0, 0), p)
	binary.BigEndian.PutUint32(b[at:], uint32(len(b)-at-4))
	b = binary.BigEndian.AppendUint32(b, uint32(len(p.Body)))
	return append(b, p.Body...)
}

// join adds a reply to the batch of its queue. One that it does not fit is published.
func (w *laneWriter) join(c *completion) {
	open := w.batches.open
	for i := range open {
		b := &open[i]
		if b.to != c.to {
			continue
		}
		if b.count == 1 {
			b.body = appendReply(b.body, &b.first.reply)
		}
		before := len(b.body)
		b.body = appendReply(b.body, &c.reply)
		b.count++
		if len(b.body) > min(batchBody, w.lane.queue.server.cfg.conn.maxMessageSize) {
			b.body = b.body[:before]
			b.count--
			w.publishBatch(b)
			b.to, b.count, b.first = c.to, 1, c
		}
		return
	}
	if len(open) == batchQueues {
		w.publishBatches()
		open = w.batches.open
	}
	if len(open) < cap(open) {
		open = open[:len(open)+1] // its body has memory
	} else {
		open = append(open, replyBatch{})
	}
	b := &open[len(open)-1]
	b.to, b.count, b.first = c.to, 1, c
	w.batches.open = open
}

// publishBatches publishes all replies that were gathered.
func (w *laneWriter) publishBatches() {
	for i := range w.batches.open {
		w.publishBatch(&w.batches.open[i])
	}
	w.batches.open = w.batches.open[:0]
}

// publishBatch publishes a batch, or the only reply of it as it is, and empties it.
func (w *laneWriter) publishBatch(b *replyBatch) {
	if b.count == 1 {
		w.publish(b.to, &b.first.reply)
	} else {
		w.publish(b.to, &amqp.Publishing{ContentType: contentTypeBatch, Body: b.body})
	}
	*b = replyBatch{body: b.body[:0]}
	if cap(b.body) > 2*batchBody {
		b.body = nil
	}
}

// isBatch reports whether a message is several replies.
func (m *content) isBatch() bool { return string(m.props.ContentType) == contentTypeBatch }

// nextReply takes the first reply, in two parts of b's memory, off a batch's body; false
// if that is cut short.
func nextReply(b []byte) (props, body, rest []byte, ok bool) {
	if props, rest, ok = cutSized(b); ok {
		body, rest, ok = cutSized(rest)
	}
	return props, body, rest, ok
}

// cutSized takes off what stands after its length.
func cutSized(b []byte) (part, rest []byte, ok bool) {
	if len(b) < 4 {
		return nil, nil, false
	}
	n := binary.BigEndian.Uint32(b)
	if b = b[4:]; uint64(n) > uint64(len(b)) {
		return nil, nil, false
	}
	return b[:n], b[n:], true
}

// replies counts those of a message.
func (m *content) replies() int {
	if !m.isBatch() {
		return 1
	}
	n := 0
	for b := m.body; ; n++ {
		var ok bool
		if _, _, b, ok = nextReply(b); !ok {
			return n
		}
	}
}
