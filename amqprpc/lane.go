package amqprpc

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// consumerTag is short, since it is in each delivery.
const consumerTag = "amqprpc"

// servedQueue is a registered queue while the server serves. Its workers outlive
// connections, so that the bound on handlers in flight holds across them.
type servedQueue struct {
	server   *Server
	endpoint *endpoint
	jobs     chan *inbound
	load     atomic.Int64 // requests queued and running
	slots    slots
	pace     pace
	pressure pressure
	watches  watchPool
	backs    sendBacks
	stop     chan struct{}
	workers  sync.WaitGroup
	base     context.Context // of handlers that outlive their channel
	mu       sync.Mutex
	running  atomic.Int64 // workers
	ready    bool
	lane     *lane         // the newest
	orphans  []*completion // replies that wait for the next lane
}

// submit hands a request to a worker, of which there are as many as requests, up
// to the concurrency. It does not wait: where handlers that do not heed their ctx
// have kept all workers from the requests of lanes that are lost, a goroutine
// does.
func (q *servedQueue) submit(in *inbound) {
	q.grow(min(int(q.load.Load()), q.endpoint.cfg.concurrency))
	select {
	case q.jobs <- in:
	default:
		q.server.tasks.Go(func() {
			select {
			case q.jobs <- in:
			case <-in.lane.ctx.Done():
				q.load.Add(-1)
				in.lane.open.Done()
			}
		})
	}
}

// grow makes sure that there are at least n workers.
func (q *servedQueue) grow(n int) {
	if q.running.Load() >= int64(n) {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.running.Load() < int64(n) {
		q.running.Add(1)
		q.workers.Go(q.worker)
	}
}

func (q *servedQueue) worker() {
	stopped := false
	defer func() {
		if !stopped { // a handler has ended the goroutine, as runtime.Goexit does
			q.workers.Go(q.worker)
		}
	}()
	for {
		select {
		case in := <-q.jobs:
			q.slots.take()
			q.work(in, time.Now())
		case <-q.stop:
			stopped = true
			return
		}
	}
}

// work handles a request that has a slot.
func (q *servedQueue) work(in *inbound, begun time.Time) {
	defer func() {
		now := time.Now()
		q.slots.give()
		q.pace.took(now.Sub(begun))
		q.pressure.used(q.load.Add(-1)+1, now)
	}()
	q.handle(in)
}

// discard completes what is still queued when the workers have ended, as it is
// when the connection is lost in a drain: it will be delivered again.
func (q *servedQueue) discard(done <-chan struct{}) {
	for {
		select {
		case in := <-q.jobs:
			in.lane.open.Done()
		case <-done:
			return
		}
	}
}

// lane is a queue's time with one channel, of which it may have several (see relay).
type lane struct {
	queue  *servedQueue
	link   *link
	ch     *channel
	ctx    context.Context // of its handlers: done when the channel is lost
	cancel context.CancelFunc

	deliveries <-chan amqp.Delivery // none come; it is closed when the consumer ends
	consumers  int                  // that the channel has had
	gapped     chan struct{}        // receives when another lane is to consume; nil if none may
	rests      atomic.Bool          // its consumer is cancelled for another lane's
	rested     atomic.Bool          // and that is done
	resumed    chan bool            // receives when it has a consumer again, or could have none
	over       <-chan struct{}      // closed when the server drains
	strings    recurring            // of requests
	deaf       bool                 // no more requests are taken; guarded by mu
	closed     chan *amqp.Error
	out        chan *completion
	writer     laneWriter
	mu         sync.Mutex     // guards sealed, and out against being closed under a sender
	sealed     bool           // out is closed
	open       sync.WaitGroup // requests not completed, what is kept back of them, and the pump
	left       atomic.Int64   // requests received and not answered
	pumped     chan struct{}  // closed when no more deliveries come
	drained    chan struct{}  // closed when all requests are completed and written
	closing    atomic.Bool    // somebody closes the channel
	shut       chan struct{}  // closed when that is done
}

// openLane opens a channel, declares the queue and consumes it, before ctx is done,
// which is not Serve's: to give up in the middle costs the connection, on which other
// queues are being drained.
func (q *servedQueue) openLane(ctx, base context.Context, l *link, over <-chan struct{}) (_ *lane, err error) {
	e := q.endpoint
	ch, err := l.channel(ctx)
	if err != nil {
		return nil, err
	}
	ln := &lane{
		queue: q, link: l, ch: ch, over: over,
		resumed: make(chan bool, 1),
		out:     make(chan *completion, laneRoom*(e.cfg.prefetch+e.cfg.concurrency)),
		pumped:  make(chan struct{}),
		drained: make(chan struct{}),
		shut:    make(chan struct{}),
	}
	ln.writer = laneWriter{lane: ln, busy: make(chan struct{}, 1), acks: acknowledgements{next: 1}, gap: gapWatch{since: 1}}
	if q.relays() {
		ln.gapped = make(chan struct{}, 1)
	}
	ln.ctx, ln.cancel = context.WithCancel(base)
	ln.open.Add(1)
	ch.tap.deliver = ln.received
	ch.tap.returns = func(m *content) { q.server.stats.returnedReplies.Add(int64(m.replies())) }
	ch.listen()
	err = l.do(ctx, func() (err error) {
		if err = e.cfg.queue.declare(ch.Channel, e.queue); err != nil {
			return permanentCode(e.cfg.queue.explainDeclare(e.queue, err), e.cfg.queue.Passive)
		}
		if err = ch.Qos(e.cfg.prefetch, 0, false); err != nil {
			return fmt.Errorf("set the prefetch of queue %q: %w", e.queue, err)
		}
		ln.closed = ch.NotifyClose(make(chan *amqp.Error, 1))
		if err = ln.consume(); err != nil {
			return permanentCode(fmt.Errorf("consume queue %q: %w", e.queue, err), false)
		}
		return nil
	})
	if err != nil {
		ln.cancel()
		if !isPermanent(err) && amqpCode(err) == 0 {
			return nil, err // the connection is in doubt, and its end ends the channel
		}
		l.do(ctx, ch.Close)
		ch.unlisten()
		return nil, err
	}
	q.server.tasks.Go(ln.pump)
	q.server.tasks.Go(func() { ln.write(); close(ln.drained) })
	q.server.tasks.Go(ln.seal)
	q.pressure.used(q.pressure.bound, time.Now()) // a backlog may come first
	q.adopt(ln)
	return ln, nil
}

// retire closes the channel of a lane that gets no more requests, when those that
// it got are answered: a connection has only so many.
func (ln *lane) retire() {
	select {
	case <-ln.drained:
	case <-ln.ctx.Done():
	}
	ln.close() // an error of it is the connection's end
	ln.ch.unlisten()
}

// close closes the channel, or waits until somebody else has: a server may drain while
// a lane retires.
func (ln *lane) close() error {
	if !ln.closing.CompareAndSwap(false, true) {
		<-ln.shut
		return nil
	}
	defer close(ln.shut)
	return ln.ch.Close()
}

// seal lets the lane's writer end when all its requests are completed.
func (ln *lane) seal() {
	ln.open.Wait()
	ln.mu.Lock()
	defer ln.mu.Unlock()
	ln.sealed = true
	close(ln.out)
}

// post hands a completion to the lane's writer, and reports whether it will be
// written, as far as can be known.
func (ln *lane) post(c *completion) bool {
	ln.mu.Lock()
	defer ln.mu.Unlock()
	if ln.sealed || ln.ctx.Err() != nil {
		return false
	}
	ln.out <- c
	return true
}

// laneRoom times the requests that a lane can have is how many completions it has
// room for: at most once, a request has two, and those that it had before its
// channel was lost come besides. With that post waits for nothing, which it must
// not: it holds a lock that the connection's reader takes.
const laneRoom = 3

// sign hands over a sign of life, where there is a lane that has the time for it.
func (q *servedQueue) sign(c *completion, in *inbound) {
	ln := in.lane
	if in.acked.Load() && ln.ctx.Err() != nil {
		q.mu.Lock()
		ln = q.lane
		q.mu.Unlock()
	}
	ln.mu.Lock()
	defer ln.mu.Unlock()
	if !ln.sealed && ln.ctx.Err() == nil && len(ln.out) < cap(ln.out)/laneRoom {
		ln.out <- c
	}
}

// send hands a completion to the lane of its request; or, for a request that was
// acknowledged when its handler started, to whichever lane there is or will be.
func (q *servedQueue) send(c *completion, in *inbound) {
	if in.lane.post(c) || !in.acked.Load() {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if (q.lane == nil || !q.lane.post(c)) && len(q.orphans) < maxOrphans {
		q.orphans = append(q.orphans, c)
	}
}

// maxOrphans bounds the replies that wait for a connection, which no more than
// a queue's handlers in flight can be.
const maxOrphans = 1 << 16

// adopt makes ln the queue's newest lane and gives it the replies that wait.
func (q *servedQueue) adopt(ln *lane) {
	q.mu.Lock()
	q.lane = ln
	orphans := q.orphans
	q.orphans = nil
	q.mu.Unlock()
	for _, c := range orphans {
		ln.post(c)
	}
}

// permanentCode marks the broker's refusals that asking again does not change. Not
// to find a queue is one where it was only looked for; to a declaration the broker
// answers that while the queue's node is down.
func permanentCode(err error, looked bool) error {
	switch amqpCode(err) {
	case amqp.AccessRefused, amqp.ResourceLocked, amqp.PreconditionFailed, amqp.NotAllowed:
		return permanentError{err}
	case amqp.NotFound:
		if looked {
			return permanentError{err}
		}
	}
	return err
}

// pump waits until no more requests come.
func (ln *lane) pump() {
	for consumes := true; consumes; consumes = ln.rests.Load() && ln.sleep() {
		for range ln.deliveries {
		}
	}
	ln.mu.Lock()
	ln.deaf = true
	ln.mu.Unlock()
	close(ln.pumped)
	ln.open.Done()
}

// received takes a request, and leaves it as a job or hands it to the workers. It is
// called where the connection is read, and so does not wait for one.
func (ln *lane) received(m *content) {
	ln.mu.Lock()
	if ln.deaf {
		ln.mu.Unlock()
		return // the channel is lost: it will be delivered again
	}
	ln.open.Add(1)
	ln.mu.Unlock()
	ln.left.Add(1)
	if m.malformed {
		ln.queue.server.log.Warn("amqprpc: request rejected unanswered: its properties are malformed", "queue", ln.queue.endpoint.queue)
		ln.post(&completion{tag: m.tag, reject: true, final: ln})
		ln.open.Done()
		return
	}
	in := &inbound{d: ln.strings.delivery(m), queue: ln.queue, lane: ln, arrived: time.Now(), atMostOnce: ln.queue.endpoint.cfg.atMostOnce}
	if in.stated, in.batches, in.plain = plainHeaders(m.props.Headers); !in.plain {
		in.d.Headers = headersOf(&m.props)
	}
	in.expires = expiration(in.d.Expiration)
	ln.queue.arrives(in)
	ln.queue.load.Add(1)
	if ln.queue.inline(in) {
		ln.ch.tap.job = in
		return
	}
	ln.queue.submit(in)
}

// end says why the lane gets no more deliveries; nil if its consumer was
// cancelled and the channel still stands, as when the queue was deleted.
func (ln *lane) end() error {
	select {
	case e := <-ln.closed:
		if e == nil {
			return errors.New("the channel was closed")
		}
		return fmt.Errorf("the channel was closed: %w", e)
	default:
	}
	if ln.ch.IsClosed() {
		return errors.New("the channel was closed")
	}
	return nil
}
