package amqprpc

import "context"

// None is the message of a request or reply that has nothing to say. It encodes
// as an empty object, and a receiver of None ignores the body.
type None = struct{}

// Call sends req to queue and waits for the answer.
//
// It returns no later than ctx ends, or 30 s after its start if neither ctx nor
// an option sets a deadline. Its errors are *[Error]: what a handler returned,
// with its code, message and details; unavailable at once where no such queue
// exists; deadline_exceeded or canceled, wrapping ctx's error, where ctx ended
// first; and resource_exhausted, invalid_argument or internal where a limit or a
// codec was in the way. [OutcomeOf] says whether a retry is safe.
//
// Resp cannot be inferred: either give both types, Call[int, int](…), or share a
// [Method].
func Call[Req, Resp any](ctx context.Context, c *Client, queue string, req Req, opts ...CallOption) (Resp, error) {
	cfg := c.callConfig(opts)
	return newCall[Req, Resp](queue, req).run(ctx, c, &cfg)
}

// typedCall is a call with its messages, in one piece of memory.
type typedCall[Req, Resp any] struct {
	outgoing
	sent     Req
	received Resp
	used     bool // received is
}

func newCall[Req, Resp any](queue string, req Req) *typedCall[Req, Resp] {
	t := &typedCall[Req, Resp]{sent: req}
	t.req.queue, t.req.msg, t.req.respType = queue, &t.sent, t
	return t
}

// fresh and none are the messageType of Resp.
func (t *typedCall[Req, Resp]) fresh() any {
	if t.used {
		return new(Resp)
	}
	t.used = true
	return &t.received
}

func (t *typedCall[Req, Resp]) none() bool { return messageOf[Resp]{}.none() }

// apart is the messageType of Resp for a clone, which runs on a goroutine of its own.
func (t *typedCall[Req, Resp]) apart() messageType { return messageOf[Resp]{} }

func (t *typedCall[Req, Resp]) run(ctx context.Context, c *Client, cfg *callConfig) (_ Resp, err error) {
	defer c.rescue(&t.req, &err)
	var zero Resp
	resp, err := c.start(ctx, &t.outgoing, cfg)
	if err != nil {
		return zero, err
	}
	msg, err := resp.Message()
	if err != nil {
		return zero, c.undecoded(CodeOf(err), OutcomeExecuted, t.req.queue, "%w", err)
	}
	switch m := msg.(type) {
	case *Resp:
		return *m, nil
	case Resp:
		return m, nil
	default:
		return zero, c.undecoded(CodeInternal, OutcomeUnknown, t.req.queue, "a middleware answered with %T, where %T was expected", msg, zero)
	}
}

// undecoded is the error of a call whose answer is no Resp.
func (c *Client) undecoded(code Code, outcome Outcome, queue, format string, args ...any) *Error {
	c.stats.failed.add(code)
	return localError(code, outcome, queue, format, args...)
}

// Notify sends req to queue for a handler to run, and returns once the broker
// has it, without a reply. Errors of the handler are not heard of; those of
// Notify itself are as with [Call]: unavailable where no such queue exists, and
// so on. ctx and [WithTimeout] bound only the wait for the broker (30 s if neither does);
// the request itself expires only if [WithExpiration] says so.
func Notify[Req any](ctx context.Context, c *Client, queue string, req Req, opts ...CallOption) (err error) {
	cfg := c.callConfig(opts)
	t := newCall[Req, None](queue, req)
	t.req.kind, t.req.respType = KindNotification, nil
	defer c.rescue(&t.req, &err)
	_, err = c.start(ctx, &t.outgoing, &cfg)
	return err
}

// Go begins a call and returns at once; the Future has its answer. ctx bounds
// the call as it does in [Call].
func Go[Req, Resp any](ctx context.Context, c *Client, queue string, req Req, opts ...CallOption) *Future[Resp] {
	cfg := c.callConfig(opts)
	t := newCall[Req, Resp](queue, req)
	f := &Future[Resp]{queue: queue, done: make(chan struct{})}
	run := func() {
		defer close(f.done)
		f.err = localError(CodeInternal, OutcomeUnknown, queue, "middleware ended its goroutine (runtime.Goexit) instead of returning")
		f.resp, f.err = t.run(ctx, c, &cfg)
	}
	if !c.task(run) {
		f.err = errClosed(queue, OutcomeNotSent)
		close(f.done)
	}
	return f
}

// Future is the answer to a call that [Go] began. It is safe for concurrent use.
type Future[Resp any] struct {
	queue string
	done  chan struct{}
	resp  Resp
	err   error
}

// Done returns a channel that is closed when the answer is there.
func (f *Future[Resp]) Done() <-chan struct{} { return f.done }

// Await waits for the answer and returns it, as [Call] would have. If ctx ends
// first it returns a deadline_exceeded or canceled error of outcome unknown; the
// call goes on, and Await may be called again.
func (f *Future[Resp]) Await(ctx context.Context) (Resp, error) {
	select {
	case <-f.done:
		return f.resp, f.err
	default:
	}
	select {
	case <-f.done:
		return f.resp, f.err
	case <-ctx.Done():
		var zero Resp
		return zero, localError(CodeOf(ctx.Err()), OutcomeUnknown, f.queue, "await the answer: %w", ctx.Err())
	}
}
