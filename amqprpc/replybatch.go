package amqprpc

import (
	"encoding/binary"
	"slices"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/frame"
)

// Replies to one client that are written together go in one message, a batch, where
// the client's requests say that it understands batches: half of what a call costs the
// broker is its reply, and it costs the broker little how long that is.

const (
	// contentTypeBatch is a batch's. Its body is, for each reply, the reply's properties
	// and its body, both as long strings; the properties are encoded as in a content
	// header, from the flags on (AMQP 0-9-1, 4.2.5.3 and 4.2.6.1).
	contentTypeBatch = "application/vnd.amqprpc.replies"

	batchReply  = 4 << 10  // how long a reply may be to go in a batch
	batchBody   = 32 << 10 // how long a batch gets
	batchQueues = 16       // how many batches are gathered at a time
)

// replyBatch is the replies to one queue that are about to be written.
type replyBatch struct {
	to    string
	first *completion
	body  []byte // empty as long as the first is the only one
}

// appendReply adds a reply to a batch's body.
func appendReply(b []byte, p *amqp.Publishing) []byte {
	at := len(b)
	b = appendProperties(append(b, 0, 0, 0, 0), p)
	binary.BigEndian.PutUint32(b[at:], uint32(len(b)-at-4))
	return frame.AppendLongString(b, p.Body)
}

// add adds a reply to those that there are, unless they would be longer than most.
func (b *replyBatch) add(c *completion, most int) bool {
	body := b.body
	if len(body) == 0 {
		body = appendReply(body, &b.first.reply)
	}
	body = appendReply(body, &c.reply)
	if len(body) > most {
		return false
	}
	b.body = body
	return true
}

// join adds a reply to the batch of its queue. One that it does not fit is published.
func (w *laneWriter) join(c *completion) {
	b := w.batchTo(c.to)
	if b.first != nil {
		if b.add(c, min(batchBody, w.lane.queue.server.cfg.conn.maxMessageSize)) {
			return
		}
		w.publishBatch(b)
	}
	b.to, b.first = c.to, c
}

// batchTo returns the batch to a queue, or an empty one.
func (w *laneWriter) batchTo(to string) *replyBatch {
	for i := range w.batches {
		if w.batches[i].to == to {
			return &w.batches[i]
		}
	}
	if len(w.batches) == batchQueues {
		w.publishBatches()
	}
	n := len(w.batches)
	w.batches = slices.Grow(w.batches, 1)[:n+1] // which has an earlier one's memory, or none
	return &w.batches[n]
}

// publishBatches publishes all replies that were gathered.
func (w *laneWriter) publishBatches() {
	for i := range w.batches {
		w.publishBatch(&w.batches[i])
	}
	w.batches = w.batches[:0]
}

// publishBatch publishes a batch, or the only reply of it as it is, and empties it.
func (w *laneWriter) publishBatch(b *replyBatch) {
	if len(b.body) == 0 {
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

// eachReply takes a batch's body apart, and reports whether there was something and
// nothing of it cut short. The parts are of its memory.
func eachReply(b []byte, do func(props, body []byte)) (whole bool) {
	for {
		props, rest, ok := frame.CutLongString(b)
		if !ok {
			return false
		}
		body, rest, ok := frame.CutLongString(rest)
		if !ok {
			return false
		}
		do(props, body)
		if b = rest; len(b) == 0 {
			return true
		}
	}
}

// replies counts those of a message.
func (m *content) replies() (n int) {
	if !m.isBatch() {
		return 1
	}
	eachReply(m.body, func(_, _ []byte) { n++ })
	return n
}

// bodiesTogether is how much memory short bodies of a batch share at most.
const bodiesTogether = 64

// bodies clones the bodies of a batch: whoever keeps one of its replies is not to keep
// them all.
type bodies struct{ room []byte }

func (b *bodies) clone(body []byte) []byte {
	if cap(b.room)-len(b.room) < len(body) {
		b.room = make([]byte, 0, max(len(body), bodiesTogether))
	}
	at := len(b.room)
	b.room = append(b.room, body...)
	return b.room[at:len(b.room):len(b.room)]
}
