package overload

import (
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// Arrival is a request as it arrives from a queue.
type Arrival struct {
	// Sender says whose clock stated the time of sending.
	Sender Sender

	// Lag is how much later than stated the request arrives, by the server's clock: the
	// difference of the two clocks, the way, and the time in the queue.
	Lag time.Duration

	// Expires is how long the broker keeps the request in the queue.
	Expires time.Duration

	// At is when it arrives. The gauge's Calm and Longest at that time are Calm and Longest.
	At      time.Time
	Calm    bool
	Longest time.Duration
}

// Sender names a sender. Without an Address the sender is unknown. Whoever knows both
// parts may speak for the sender.
type Sender struct{ Address, Secret string }

// Clocks estimate how long requests were in their queues, though the senders' clocks
// differ from the server's. No sender has any influence on what is estimated of
// another's requests. Clocks are safe for concurrent use; the zero value is ready.
type Clocks struct {
	mu    sync.Mutex
	known *simplelru.LRU[Sender, *clock]
}

const (
	// maxSenders bounds the memory: anybody can make up names. A sender that was
	// forgotten is a new one.
	maxSenders = 4096

	// maxDifference is beyond what a clock that is merely wrong shows. It keeps all
	// arithmetic far from overflow.
	maxDifference = 10 * 365 * 24 * time.Hour

	// overstay is how much the way may vary, and how much longer than its expiration a
	// request may seem to have waited: the broker drops only what expires in the queue.
	overstay = 100 * time.Millisecond

	// manyRequests of a sender are so many that under a lasting overload one of them
	// has waited until it nearly expired.
	manyRequests = 16

	// halfPeriod is half of the time for which a lag is remembered, since clocks are
	// set and drift.
	halfPeriod = 15 * time.Second
)

// Waited returns how long the request was in its queue, as far as is known; 0 if
// nothing is known. It is never more than Expires.
func (c *Clocks) Waited(r Arrival) time.Duration {
	if r.Sender.Address == "" || r.Expires <= 0 || r.Lag > maxDifference || r.Lag < -maxDifference {
		return 0
	}
	r.Expires = min(r.Expires, maxDifference)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known == nil {
		known, err := simplelru.NewLRU[Sender, *clock](maxSenders, nil)
		if err != nil {
			panic(err) // a size below one
		}
		c.known = known
	}
	k, ok := c.known.Get(r.Sender)
	if !ok {
		k = &clock{now: newLags(r), before: newLags(r), since: r.At}
		c.known.Add(r.Sender, k)
	}
	return k.waited(r)
}

// clock is what is known of one sender's clock, from its lags in this half of the
// period and in the half before. The lag of a request that did not wait is between the
// two bounds that the lags of all its requests give: none waited for less than nothing,
// and none for longer than until it expired.
type clock struct {
	now, before lags
	since       time.Time // when now began
}

type lags struct {
	least time.Duration // no request had a smaller lag
	floor time.Duration // the greatest of the lags, each less the longest possible wait
	calm  bool          // one of the requests did not wait
	count int           // requests
}

func newLags(r Arrival) lags {
	if r.Calm {
		return lags{least: r.Lag, floor: r.Lag, calm: true, count: 1}
	}
	return lags{least: r.Lag, floor: r.Lag - r.Expires, count: 1}
}

// and returns what two sets of requests show together.
func (l lags) and(m lags) lags {
	return lags{least: min(l.least, m.least), floor: max(l.floor, m.floor), calm: l.calm || m.calm, count: min(l.count+m.count, manyRequests)}
}

func (k *clock) waited(r Arrival) time.Duration {
	one := newLags(r)
	if r.At.Sub(k.since) >= halfPeriod {
		k.now, k.before, k.since = one, k.now, r.At
	}
	k.now = k.now.and(one)
	all := k.now.and(k.before)
	if all.floor > all.least+overstay {
		// The bounds contradict each other: a clock was set.
		*k = clock{now: one, before: one, since: r.At}
		all = one
	}
	waited := r.Lag - all.least
	switch {
	case r.Calm:
		return 0
	case !all.calm && all.overloaded(r):
		// Under a lasting overload even the least lag includes a long wait. But then some
		// requests wait until they nearly expire, so that the other bound is close. A
		// server that is merely busy sees its queue empty more often.
		waited = r.Lag - all.floor
	}
	return min(max(waited, 0), r.Expires)
}

// overloaded reports whether the server has been overloaded for so long that one of the
// requests has waited until it nearly expired.
func (l lags) overloaded(r Arrival) bool {
	if l.count >= manyRequests {
		return r.Longest/2 >= r.Expires
	}
	return r.Longest/8 >= r.Expires
}
