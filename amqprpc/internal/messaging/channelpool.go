package messaging

import (
	"context"
	"fmt"
	"slices"
	"sync"
)

// channelPool has the channels on which a server consumes its queues, on one connection.
type channelPool struct {
	conn    *Conn
	base    context.Context
	replies *ReplyWriter
	declarer

	mu     sync.Mutex
	shared []*sharedChannel
}

// newChannelPool makes the channels of so many queues, unless the broker does not allow a
// connection as many.
func newChannelPool(conn *Conn, base context.Context, replies *ReplyWriter, queues int) (*channelPool, error) {
	shared := (queues + queuesPerChannel - 1) / queuesPerChannel
	atOnce := declareAtOnce
	if most := conn.ChannelMax(); most > 0 {
		if shared+1 > most {
			return nil, Permanent(fmt.Errorf("%s need %s (one for every %d queues, and one more to declare them), and the broker allows a connection %d (channel_max): serve them with several servers",
				Counted(queues, "queue"), Counted(shared+1, "channel"), queuesPerChannel, most))
		}
		atOnce = min(atOnce, most-shared)
	}
	p := &channelPool{conn: conn, base: base, replies: replies}
	p.declarer.init(conn, base, atOnce)
	return p, nil
}

// join gives s a place on a channel: on one of its own, or on one that other queues may
// share.
func (p *channelPool) join(s *subscription, alone bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.shared = slices.DeleteFunc(p.shared, func(c *sharedChannel) bool { return c.over.Load() })
	if !alone {
		for _, c := range p.shared {
			if c.place(s) {
				return
			}
		}
	}
	c := newSharedChannel(p.base, p)
	c.alone = alone
	c.place(s)
	if !alone {
		p.shared = append(p.shared, c)
	}
}

// leave says that nothing is to be done any more for what s got. The last one closes the
// channel: a connection has only so many.
func (p *channelPool) leave(s *subscription) {
	c := s.channel
	c.vacate(s)
	p.mu.Lock()
	c.users = slices.DeleteFunc(c.users, func(u *subscription) bool { return u == s })
	last := len(c.users) == 0
	if last {
		c.over.Store(true)
	}
	p.mu.Unlock()
	if !last {
		return
	}
	if c.ch != nil && !p.conn.IsClosed() {
		c.ch.Close(p.base) // an error is the connection's end
	}
	c.cancel()
}

// shares reports whether more than one queue uses a channel.
func (p *channelPool) shares(c *sharedChannel) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(c.users) > 1
}

// oldest is the consumer of the oldest delivery of a channel that is not settled; nil if
// there is none.
func (p *channelPool) oldest(c *sharedChannel) (consumer *Consumer) {
	p.mu.Lock()
	defer p.mu.Unlock()
	tag := uint64(0)
	for _, s := range c.users {
		s.consumer.workers.all(func(w Work) {
			if d := w.Base(); d.sub == s && !d.finished.Load() && !d.acked.Load() && (tag == 0 || d.tag < tag) {
				tag, consumer = d.tag, s.consumer
			}
		})
	}
	return consumer
}
