package messaging

import (
	"slices"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/protocol"
)

// Replies to one client that are written together go in one message, a batch, where
// the client's requests say that it understands batches: half of what a call costs
// the broker is its reply, whatever the reply's length.

const (
	batchedReply  = 4 << 10  // how long a reply may be to go in a batch
	batchedBody   = 32 << 10 // how long a batch gets
	batchedQueues = 256      // how many batches are gathered at a time
	batchedSearch = 8        // how many of them are looked through, before the index is used
	batchedKept   = 4 << 10  // how much memory each of the others keeps
)

// replyBatches are the batches that are about to be written.
type replyBatches []replyBatch

// replyBatch is the replies to one queue.
type replyBatch struct {
	to    string
	first *Done
	body  []byte // empty as long as the first is the only one
}

// join adds a reply to the batch of its queue.
func (c *replyChannel) join(done *Done) {
	b := c.batchTo(done.To)
	if b.first != nil {
		if c.add(b, done) {
			return
		}
		c.publishBatch(b)
	}
	b.to, b.first = done.To, done
}

// add adds a reply to a batch, unless the batch would become too long.
func (c *replyChannel) add(b *replyBatch, done *Done) bool {
	body := b.body
	if len(body) == 0 {
		body = c.appendReply(body, b.first)
	}
	body = c.appendReply(body, done)
	if len(body) > min(batchedBody, int(c.channel.pool.replies.MaxBody.Load())) {
		return false
	}
	b.body = body
	return true
}

func (c *replyChannel) appendReply(dst []byte, done *Done) []byte {
	c.scratch = done.Reply.Append(c.scratch[:0])
	return protocol.AppendBatched(dst, c.scratch, done.Body)
}

// batchTo returns the batch to a queue, or an empty one.
func (c *replyChannel) batchTo(to string) *replyBatch {
	for i := range c.batches[:min(len(c.batches), batchedSearch)] {
		if c.batches[i].to == to {
			return &c.batches[i]
		}
	}
	if i, ok := c.index[to]; ok {
		return &c.batches[i]
	}
	if len(c.batches) == batchedQueues {
		c.publishBatches()
	}
	n := len(c.batches)
	if n >= batchedSearch {
		if c.index == nil {
			c.index = make(map[string]int)
		}
		c.index[to] = n
	}
	c.batches = slices.Grow(c.batches, 1)[:n+1] // it has the memory of an earlier one, or none
	return &c.batches[n]
}

func (c *replyChannel) publishBatches() {
	for i := range c.batches {
		b := &c.batches[i]
		c.publishBatch(b)
		if i >= batchedSearch && cap(b.body) > batchedKept {
			b.body = nil
		}
	}
	c.batches = c.batches[:0]
	clear(c.index)
}

// publishBatch publishes a batch, or its only reply as it is, and empties it.
func (c *replyChannel) publishBatch(b *replyBatch) {
	if len(b.body) == 0 {
		c.publish(b.first)
	} else {
		batch := protocol.Reply{ContentType: protocol.BatchContentType}
		c.scratch = batch.Append(c.scratch[:0])
		c.publishMessage(b.to, c.scratch, b.body)
	}
	*b = replyBatch{body: b.body[:0]}
	if cap(b.body) > 2*batchedBody {
		b.body = nil
	}
}
