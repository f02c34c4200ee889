package amqprpc

import (
	"crypto/rand"
	"sync"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/protocol"
)

// correlationIDs makes the prefixes of a client's correlation ids, one for each
// queue: whoever serves one queue cannot answer, or cancel, calls to another.
type correlationIDs struct {
	secret [32]byte

	mu      sync.RWMutex
	byQueue map[string]string
	made    map[string]bool // the prefixes
}

// prefixesMost bounds how many prefixes are kept. If there are more, all are made
// again when they are wanted.
const prefixesMost = 4096

func (c *correlationIDs) init() { rand.Read(c.secret[:]) } // never fails

// prefix returns the prefix for calls to a queue.
func (c *correlationIDs) prefix(queue string) string {
	c.mu.RLock()
	p, ok := c.byQueue[queue]
	c.mu.RUnlock()
	if ok {
		return p
	}
	p = protocol.QueuePrefix(c.secret[:], queue)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.byQueue == nil || len(c.byQueue) >= prefixesMost {
		c.byQueue, c.made = make(map[string]string), make(map[string]bool)
	}
	c.byQueue[queue], c.made[p] = p, true
	return p
}

// ours reports whether a prefix is known to be the client's.
func (c *correlationIDs) ours(prefix []byte) bool {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.made[string(prefix)]
}

// find returns the pending call and the attempt that a correlation id names, or nil
// if the call has ended. ours is false for an id that is not the client's.
func (c *Client) find(id []byte) (pc *pendingCall, attempt int, ours bool) {
	prefix, number, attempt, ok := protocol.SplitCorrelationID(id)
	if !ok {
		return nil, 0, false
	}
	if pc = c.pending.get(number); pc != nil && pc.prefix == string(prefix) {
		return pc, attempt, true
	}
	return nil, 0, c.ids.ours(prefix)
}
