package messaging

import (
	"context"
	"slices"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/transport"
)

// publish publishes what is queued on one channel after the other, until ctx is done: the
// broker closes a channel for a message that is too large, which is not the fault of its
// neighbours.
func (c *Client) publish(ctx context.Context, conn *Conn, x *publishing) error {
	for {
		err := x.run()
		limit, ok := transport.TooLarge(err)
		if !ok || ctx.Err() != nil {
			return err
		}
		x.salvage(limit)
		if x.mailbox.Mode == Direct {
			return err // the replies came through the channel
		}
		setup, cancel := context.WithTimeout(ctx, SetupTimeout)
		x, err = c.Publisher.open(setup, ctx, conn, c.number, &c.Mailbox)
		cancel()
		if err != nil {
			return err
		}
	}
}

// salvage sorts what the broker had not confirmed on a channel that it closed for an item
// beyond its limit. It has handled what came before that item, and nothing that came
// after, which is queued again.
func (x *publishing) salvage(limit int) {
	if c := x.next.Swap(nil); c != nil { // a replacement that nothing was written to
		c.ch.Close(context.Background()) // ends with the connection
	}
	channels := []*publishChannel{x.calls}
	if x.confirmed != x.calls {
		channels = append(channels, x.confirmed)
	}
	for _, c := range channels {
		broken := c.broken.Load()
		c.ch.Close(context.Background()) // ends with the connection
		if c.confirms == nil {
			continue
		}
		items := c.confirms.rest()
		at := slices.IndexFunc(items, func(it Item) bool { return it.Size() > limit })
		if !broken || at < 0 {
			at = len(items)
		}
		for _, it := range items[:at] {
			it.Taken()
		}
		after := slices.DeleteFunc(items[at:], func(it Item) bool { return it.Size() > limit })
		for _, it := range after {
			it.Unclaim()
		}
		x.box.putBack(after)
	}
	x.TooLarge(x.number, limit)
}
