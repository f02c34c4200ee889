package amqprpc

import (
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// senderClocks tell how long requests were in their queues, though the clocks of
// their senders differ from the server's. A request says when it was sent, by its
// sender's clock: at its rpc-deadline, less its expiration. Its lag is how much later
// than that it arrives, by the server's clock. The lag of a request that did not wait
// is what the clocks differ by, and the way; what another's lag has beyond it is time
// in the queue.
type senderClocks struct {
	mu    sync.Mutex
	known *simplelru.LRU[string, *senderClock] // by reply_to
}

const maxSenderClocks = 4096

func newSenderClocks() *senderClocks {
	known, err := simplelru.NewLRU[string, *senderClock](maxSenderClocks, nil)
	if err != nil {
		panic(err) // a size below one
	}
	return &senderClocks{known: known}
}

// lastWait is what the latest request of a queue had waited, of the sender that is known
// best; the clocks' lock guards it. Requests that arrive together waited for about as
// long, so that it tells of one whose sender is new.
type lastWait struct {
	waited time.Duration
	at     time.Time
	since  time.Time // the sender's
}

// together is how far apart requests may arrive that waited for about as long.
const together = 100 * time.Millisecond

// waited returns how long a request was in its queue. calm says that it cannot have
// waited there.
func (cs *senderClocks) waited(in *inbound, lag time.Duration, calm bool, last *lastWait) time.Duration {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	c, ok := cs.known.Get(in.d.ReplyTo)
	if !ok {
		c = new(senderClock)
		cs.known.Add(in.d.ReplyTo, c)
	}
	switch {
	case calm && !c.since.IsZero(), lag-c.least() > in.expires+overstay, !ok:
		*c = senderClock{now: lag, before: lag, period: in.arrived}
		if !calm {
			c.since = in.arrived
		}
	}
	if last.since.Before(c.since) && in.arrived.Sub(last.at) < together {
		c.follow(lag - last.waited)
	} else {
		c.note(lag, calm, in.arrived)
		last.waited, last.at, last.since = lag-c.least(), in.arrived, c.since
	}
	return max(lag-c.least(), 0)
}

// overstay is how much longer than its expiration a request may seem to have been in
// its queue: the broker drops what has expired, but not on its way. What seems longer
// comes of a clock that was set.
const overstay = 100 * time.Millisecond

// senderClock is the least lag of a sender, in this period and the one before: it is
// forgotten in time, since clocks are set and drift. A period does not end before it
// has seen a request that did not wait, or an overload that lasts would in the end be
// all that is known.
type senderClock struct {
	since       time.Time // when it was first seen; zero if ever with a request that did not wait
	now, before time.Duration
	period      time.Time // when it began
	calm        bool      // it has seen a request that did not wait
	followed    int       // requests of which others told how long they waited
}

const clockPeriod = 30 * time.Second

func (c *senderClock) least() time.Duration { return min(c.now, c.before) }

// note takes a request's lag into account.
func (c *senderClock) note(lag time.Duration, calm bool, at time.Time) {
	if c.calm && at.Sub(c.period) >= clockPeriod {
		c.now, c.before, c.period, c.calm = lag, c.now, at, false
	}
	c.now = min(c.now, lag)
	c.calm = c.calm || calm
}

// follow takes the lag into account that a request would have had if it had not
// waited, by what others did. They are only about right, so it is averaged.
func (c *senderClock) follow(lag time.Duration) {
	c.followed = min(c.followed+1, 8)
	c.now += (lag - c.now) / time.Duration(c.followed)
	c.before = c.now
}
