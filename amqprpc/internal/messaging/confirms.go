package messaging

import (
	"slices"
	"sync"
)

// confirms holds what was published on a channel and is not confirmed yet, by the
// order of publishing, which is what confirms count. An item that was confirmed before
// those ahead of it leaves nil behind.
type confirms struct {
	mu    sync.Mutex
	first uint64 // the delivery tag of the first item, less one
	items fifo[Item]
}

// add notes items that are about to be written.
func (c *confirms) add(items []Item) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.items.push(items...)
}

// undo takes back the last n items that were added.
func (c *confirms) undo(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.items.dropLast(n)
}

// rest takes all items that are left, in their order.
func (c *confirms) rest() []Item {
	c.mu.Lock()
	defer c.mu.Unlock()
	items := c.items.popUpTo(c.items.len(), nil)
	return slices.DeleteFunc(items, func(it Item) bool { return it == nil })
}

func (c *confirms) empty() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.items.len() == 0
}

// takeUpTo takes the first item that is left, if its tag is at most tag. The item
// is nil if it was taken before.
func (c *confirms) takeUpTo(tag uint64) (it Item, more bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.first >= tag || c.items.len() == 0 {
		return nil, false
	}
	c.first++
	return c.items.pop(), true
}

// take takes the item with that tag; nil if there is none.
func (c *confirms) take(tag uint64) Item {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := c.items.all()
	if tag <= c.first || tag-c.first > uint64(len(all)) {
		return nil
	}
	it := all[tag-c.first-1]
	all[tag-c.first-1] = nil
	for c.items.len() > 0 && c.items.all()[0] == nil {
		c.items.pop()
		c.first++
	}
	return it
}
