package amqprpc

import (
	"sync"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/messaging"
	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/protocol"
)

// broadcasts are the broadcasts in flight of a client, by their numbers.
type broadcasts struct {
	mu       sync.Mutex
	byNumber map[uint64]*broadcast
}

// add registers a broadcast unless limit are registered already.
func (t *broadcasts) add(b *broadcast, limit int) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.byNumber) >= limit {
		return false
	}
	if t.byNumber == nil {
		t.byNumber = make(map[uint64]*broadcast)
	}
	t.byNumber[b.out.call.number] = b
	return true
}

func (t *broadcasts) remove(b *broadcast) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.byNumber, b.out.call.number)
}

func (t *broadcasts) count() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.byNumber)
}

// all returns the broadcasts in flight.
func (t *broadcasts) all() []*broadcast {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := make([]*broadcast, 0, len(t.byNumber))
	for _, b := range t.byNumber {
		all = append(all, b)
	}
	return all
}

// lose ends all broadcasts, whose replies are lost.
func (t *broadcasts) lose(why error) {
	for _, b := range t.all() {
		b.lose(why)
	}
}

// find returns the broadcast and the attempt that a correlation id names, or nil.
func (t *broadcasts) find(id []byte) (b *broadcast, attempt int) {
	prefix, number, attempt, ok := protocol.SplitCorrelationID(id)
	if !ok {
		return nil, 0
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if b = t.byNumber[number]; b == nil || b.out.call.prefix != string(prefix) {
		return nil, 0
	}
	return b, attempt
}

// receiveAnswer takes a message that is an accept, a heartbeat or an answer to a broadcast, on
// the goroutine that reads the connection. It reports whether it is.
func (c *Client) receiveAnswer(m *messaging.Message) bool {
	b, n := c.broadcasts.find(m.Properties.CorrelationID)
	if b == nil {
		return false
	}
	var got protocol.Reply
	if got.Parse(&m.Properties, &c.types); m.Malformed || !protocol.AllowedInstance(protocol.InstanceQueue(got.Instance)) || got.Instance == "" {
		c.stats.unknown.Add(1)
		return true
	}
	switch b.receive(n, m, &got) {
	case deliveredRepeated:
		c.stats.repeated.Add(1)
	case deliveredStale:
		c.late(m)
	}
	return true
}
