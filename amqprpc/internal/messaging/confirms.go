package messaging

import (
	"slices"
	"sync"
)

// confirms holds what was published on a channel and is not confirmed yet, by the
// order of publishing, which is what confirms count.
type confirms struct {
	mu    sync.Mutex
	first uint64 // the delivery tag of ring[head], less one
	head  int
	ring  []Item
}

// add notes items that are about to be written.
func (c *confirms) add(items []Item) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.head > 64 && c.head*2 > len(c.ring) {
		n := copy(c.ring, c.ring[c.head:])
		clear(c.ring[n:])
		c.ring = c.ring[:n]
		c.head = 0
	}
	c.ring = append(c.ring, items...)
}

// undo takes back the last n items that were added.
func (c *confirms) undo(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ring = c.ring[:len(c.ring)-n]
}

// rest takes all items that are left, in their order.
func (c *confirms) rest() []Item {
	c.mu.Lock()
	defer c.mu.Unlock()
	items := slices.DeleteFunc(slices.Clone(c.ring[c.head:]), func(it Item) bool { return it == nil })
	c.ring = c.ring[:c.head]
	return items
}

func (c *confirms) empty() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.head == len(c.ring)
}

// takeUpTo takes the first item that is left, if its tag is at most tag. The item
// is nil if it was taken before.
func (c *confirms) takeUpTo(tag uint64) (it Item, more bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.first >= tag || c.head == len(c.ring) {
		return nil, false
	}
	it = c.ring[c.head]
	c.ring[c.head] = nil
	c.advance()
	return it, true
}

// advance leaves the first entry behind.
func (c *confirms) advance() {
	c.head++
	c.first++
	if c.head == len(c.ring) && cap(c.ring) > emptyKept {
		c.ring, c.head = nil, 0
	}
}

// take takes the item with that tag; nil if there is none.
func (c *confirms) take(tag uint64) Item {
	c.mu.Lock()
	defer c.mu.Unlock()
	if tag <= c.first || tag-c.first > uint64(len(c.ring)-c.head) {
		return nil
	}
	i := c.head + int(tag-c.first) - 1
	it := c.ring[i]
	c.ring[i] = nil
	for c.head < len(c.ring) && c.ring[c.head] == nil {
		c.advance()
	}
	return it
}
