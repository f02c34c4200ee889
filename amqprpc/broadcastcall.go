package amqprpc

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/messaging"
	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/protocol"
)

const (
	defaultAcceptWait = 250 * time.Millisecond // for the first accept of a broadcast
	defaultAnswerBeat = 2 * time.Second        // between the heartbeats of who has accepted
	acceptParts       = 5                      // of the wait for the first accept, one for any further one
	broadcastMost     = 1 << 14                // instances that one broadcast waits for
	broadcastHeld     = 16                     // answers of the largest size that wait to be ranged over
)

// broadcast is a request to all instances. The chain of middleware runs on a goroutine of its
// own, and its last step returns when all answers have come. Whoever ranges takes the answers
// outside of the chain.
type broadcast struct {
	client *Client
	out    *outgoing
	wait   time.Duration // for the first accept

	stopped  chan struct{} // closed when the caller wants no more
	done     chan struct{} // closed when the chain has returned
	err      error         // of the chain
	news     chan struct{} // receives when there is an answer to take
	progress chan struct{} // receives when the last step has something to look at

	mu        sync.Mutex
	attempt   int
	sent      bool // it may have reached an instance
	over      bool // nobody waits for answers any more
	lost      error
	instances map[string]*instance // that have accepted
	open      int                  // of these, those that have not answered
	joined    moment               // when the last one has accepted
	answers   []answered           // that are not taken yet
	held      int                  // bytes of their bodies
}

// instance is what a broadcast knows of one that has accepted.
type instance struct {
	answered bool
	last     moment // when it was heard of
	interval time.Duration
}

// answered is the answer of an instance.
type answered struct {
	instance string
	reply    reply
	err      error
	size     int // of what is kept of the body
}

func newBroadcast(c *Client, o *outgoing) *broadcast {
	return &broadcast{
		client: c, out: o, instances: make(map[string]*instance),
		stopped: make(chan struct{}), done: make(chan struct{}), news: make(chan struct{}, 1), progress: make(chan struct{}, 1),
	}
}

// startBroadcast begins a broadcast whose request is set in o.
func (c *Client) startBroadcast(ctx context.Context, o *outgoing, opts []CallOption) *broadcast {
	b := newBroadcast(c, o)
	req := &o.call.req
	req.part().broadcast = b
	cfg := c.callConfig(opts)
	if b.wait = cfg.acceptWait; b.wait == 0 {
		b.wait = defaultAcceptWait
	}
	if cfg.send.liveness == 0 && c.cfg.send.liveness == 0 {
		cfg.send.liveness = defaultAnswerBeat
	}
	if !c.task(func() { b.run(ctx, &cfg) }) {
		b.err = errClosed(req.queue, OutcomeNotSent)
		close(b.done)
	}
	return b
}

func (b *broadcast) run(ctx context.Context, cfg *callConfig) {
	b.err = localError(CodeInternal, OutcomeUnknown, b.out.call.req.queue, "middleware ended its goroutine (runtime.Goexit) instead of returning")
	defer close(b.done)
	b.err = b.start(ctx, cfg)
}

func (b *broadcast) start(ctx context.Context, cfg *callConfig) (err error) {
	defer b.client.rescue(&b.out.call.req, &err)
	_, err = b.client.start(ctx, b.out, cfg)
	return err
}

// stop ends a broadcast of which the caller wants no more, and waits for the chain.
func (b *broadcast) stop() {
	close(b.stopped)
	<-b.done
}

// next waits for an answer. Without more, the broadcast has ended, with an error or without.
func (b *broadcast) next() (got answered, more bool, err error) {
	for {
		ended := done(b.done)
		b.mu.Lock()
		if len(b.answers) > 0 {
			got = b.answers[0]
			b.answers[0] = answered{}
			b.answers = b.answers[1:]
			b.held -= got.size
			b.mu.Unlock()
			return got, true, nil
		}
		b.mu.Unlock()
		if ended {
			return answered{}, false, b.err
		}
		select {
		case <-b.news:
		case <-b.done:
		}
	}
}

// receive takes a heartbeat or an answer to an attempt. The first heartbeat is the accept.
func (b *broadcast) receive(attempt int, m *messaging.Message, got *protocol.Reply) delivered {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.over || attempt != b.attempt {
		return deliveredStale
	}
	i := b.instances[got.Instance]
	if i == nil {
		if len(b.instances) >= broadcastMost {
			return deliveredStale
		}
		i = &instance{}
		b.instances[got.Instance] = i
		b.open++
		b.joined = b.client.age()
		wakeUp(b.progress)
	}
	if got.Heartbeat > 0 {
		i.last, i.interval = b.client.age(), got.Heartbeat
		return deliveredFirst
	}
	if i.answered {
		return deliveredRepeated
	}
	a := answered{instance: got.Instance}
	r := reply{about: got.ContentType, encoding: got.ContentEncoding, outcome: outcomeFromWire(got.Outcome), headers: got.Received, body: m.Body}
	if got.IsError {
		r.kind, r.about = replyError, got.Code
	}
	b.keep(&a, &r)
	b.answer(i, a)
	return deliveredFirst
}

// keep puts a reply into an answer, unless it is too large, or too much waits to be ranged over:
// else any server could fill the memory. The lock is held.
func (b *broadcast) keep(a *answered, r *reply) {
	queue, most, size := b.out.call.req.queue, b.client.cfg.conn.maxMessageSize, len(r.body)
	switch {
	case r.kind == replyError && (size > most || b.held+size <= broadcastHeld*most): // of the first, only the code is kept
		a.err = remoteError(queue, r, most)
	case size > most || b.held+size > broadcastHeld*most:
		outcome := OutcomeExecuted
		if r.kind == replyError {
			outcome = r.outcome
		}
		a.err = localError(CodeResourceExhausted, outcome, queue,
			"the reply has %d bytes, and %d bytes of other replies wait to be ranged over; the limits are %d and %d (WithMaxMessageSize)",
			size, b.held, most, broadcastHeld*most)
		return
	default:
		a.reply = *r
	}
	if size <= most {
		a.size = size
		b.held += size
	}
}

// answer hands an answer to whoever ranges. The lock is held.
func (b *broadcast) answer(i *instance, a answered) {
	i.answered = true
	b.open--
	b.answers = append(b.answers, a)
	wakeUp(b.news)
	wakeUp(b.progress)
}

// lose ends the broadcast, whose further replies are lost.
func (b *broadcast) lose(why error) {
	b.mu.Lock()
	b.lost = why
	b.mu.Unlock()
	wakeUp(b.progress)
}

// broadcastAttempt sends a broadcast, and returns when it has ended.
func (c *Client) broadcastAttempt(ctx context.Context, req *Request) (*Response, *Error) {
	b := req.streaming.broadcast
	if err := c.admit(ctx, req); err != nil {
		return nil, err
	}
	if err := b.begin(req); err != nil {
		return nil, err
	}
	if req.kind == KindNotification {
		if err := b.publish(ctx, req); err != nil {
			return nil, err
		}
		return &Response{codec: req.codec, contentType: req.contentType}, nil
	}
	defer b.end()
	if err := c.openBox(ctx, req); err != nil {
		return nil, err
	}
	if !c.broadcasts.add(b, c.cfg.maxPending) {
		return nil, localError(CodeResourceExhausted, OutcomeNotSent, req.queue,
			"the client has %s in flight already (WithMaxPending)", messaging.Counted(c.cfg.maxPending, "broadcast"))
	}
	defer c.broadcasts.remove(b)
	if err := b.publish(ctx, req); err != nil {
		return nil, err
	}
	return b.await(ctx, req)
}

// begin begins an attempt, unless one has been sent that may have been answered.
func (b *broadcast) begin(req *Request) *Error {
	switch {
	case b.client.cfg.conn.withoutControl:
		return localError(CodeFailedPrecondition, OutcomeNotSent, req.queue, "broadcasts are control messages, and the client has WithoutControl")
	case b.out.call.send.failFast && b.client.whyDown() != nil:
		return b.client.notConnected(req)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.sent {
		return localError(CodeFailedPrecondition, OutcomeUnknown, req.queue, "the broadcast was sent once, and cannot be sent again: what was answered cannot be taken back")
	}
	b.attempt++
	req.attempt = b.attempt
	b.over, b.lost = false, nil
	return nil
}

func (b *broadcast) end() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.over = true
}

// id is the correlation id of the latest attempt.
func (b *broadcast) id() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return protocol.CorrelationID(b.out.call.prefix, b.out.call.number, b.attempt)
}

// cancel tells all servers that nobody waits for answers any more.
func (b *broadcast) cancel() {
	b.mu.Lock()
	sent := b.sent && !b.over
	b.over = true
	b.mu.Unlock()
	if sent {
		b.client.cancelAttempt(b.out.call.req.queue, b.id(), b.out.ctx.deadline)
	}
}

func wakeUp(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// await waits until all that have accepted have answered or died.
func (b *broadcast) await(ctx context.Context, req *Request) (*Response, *Error) {
	began := b.client.age()
	timer := time.NewTimer(b.wait)
	defer timer.Stop()
	beats := time.NewTicker(b.out.call.send.liveness)
	defer beats.Stop()
	resp := &Response{codec: req.codec, contentType: req.contentType, decoded: true}
	for {
		left, err := b.left(began)
		if err != nil {
			return nil, err
		}
		if left <= 0 {
			return resp, nil
		}
		timer.Reset(left)
		select {
		case <-b.progress:
		case <-timer.C:
		case <-beats.C:
			b.bury()
		case <-b.stopped:
			b.cancel()
			resp.stopped = true
			return resp, nil
		case <-ctx.Done():
			return nil, b.ended(ctx, req, OutcomeUnknown, b.missing())
		}
	}
}

// left is how long the broadcast goes on if nothing happens, or why it has failed. After each
// accept it waits for further ones, and longer where accepts come slowly: the instances are
// busy then, or the client is.
func (b *broadcast) left(began moment) (time.Duration, *Error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	c, queue := b.client, b.out.call.req.queue
	switch {
	case b.lost != nil:
		return 0, localError(CodeUnavailable, OutcomeUnknown, queue, "the answers are lost: %w", b.lost)
	case b.open > 0:
		return forever, nil
	case len(b.instances) > 0:
		further := min(max(b.wait/acceptParts, 2*time.Duration(b.joined-began)), b.wait)
		return further - time.Duration(c.age()-b.joined), nil
	case c.whyDown() != nil:
		return b.wait, nil
	}
	left := b.wait - time.Duration(c.age()-max(began, moment(c.upSince.Load())))
	if left <= 0 {
		return 0, nobody(localError(CodeUnavailable, OutcomeUnknown, queue,
			"no server has accepted the broadcast within %v (WithAcceptWait)", b.wait))
	}
	return left, nil
}

// missing says for an error what is still awaited.
func (b *broadcast) missing() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return fmt.Sprintf("when %d of %s had answered", len(b.instances)-b.open, messaging.Counted(len(b.instances), "instance"))
}

// bury gives instances up that were not heard of for too long. Time without a connection does
// not count.
func (b *broadcast) bury() {
	c := b.client
	if c.whyDown() != nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for id, i := range b.instances {
		silence := time.Duration(c.age() - max(i.last, moment(c.upSince.Load())))
		if i.answered || silence <= protocol.HeartbeatMisses*i.interval {
			continue
		}
		c.stats.silent.Add(1)
		b.answer(i, answered{instance: id, err: localError(CodeUnavailable, OutcomeUnknown, b.out.call.req.queue,
			"the instance %s has accepted and gave no sign of life for %v (WithLiveness): its server died, or lost its connection", id, silence.Round(time.Millisecond))})
	}
}
