package amqprpc

import "context"

// None is the type of a request or reply without content. It is encoded as an empty object.
// A receiver of None ignores the body.
type None = struct{}

// Call sends req to queue and waits for the answer.
//
// Call returns when ctx ends, or earlier. If neither ctx nor an option sets a deadline,
// Call returns after 30 s at most.
//
// The errors are *[Error]. [OutcomeOf] says whether it is safe to call again. These are the
// codes:
//
//   - the code of the handler's error, if the handler returned one. The error has its
//     message and details
//   - unavailable if the queue does not exist, after one round trip
//   - deadline_exceeded or canceled if ctx ended first. The error wraps ctx's error
//   - resource_exhausted if a limit was exceeded
//   - invalid_argument or internal if a message could not be encoded or decoded
//
// The compiler cannot infer Resp. Give both types, as in Call[int, int](…), or share a
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
}

func newCall[Req, Resp any](queue string, req Req) *typedCall[Req, Resp] {
	t := &typedCall[Req, Resp]{sent: req}
	r := &t.call.req
	r.queue, r.msg, r.respType = queue, &t.sent, t
	return t
}

// fresh and none are the messageType of Resp.
func (t *typedCall[Req, Resp]) fresh() any {
	if t.call.receivedUsed {
		return new(Resp)
	}
	t.call.receivedUsed = true
	return &t.received
}

func (t *typedCall[Req, Resp]) none() bool { return messageOf[Resp]{}.none() }

// apart is the messageType of Resp for a clone, which runs on a goroutine of its own.
func (t *typedCall[Req, Resp]) apart() messageType { return messageOf[Resp]{} }

func (t *typedCall[Req, Resp]) run(ctx context.Context, c *Client, cfg *callConfig) (_ Resp, err error) {
	defer c.rescue(&t.call.req, &err)
	var zero Resp
	resp, err := c.start(ctx, &t.outgoing, cfg)
	if err != nil {
		return zero, err
	}
	msg, err := resp.Message()
	if err != nil {
		return zero, c.undecoded(CodeOf(err), OutcomeExecuted, t.call.req.queue, "%w", err)
	}
	switch m := msg.(type) {
	case *Resp:
		return *m, nil
	case Resp:
		return m, nil
	default:
		return zero, c.undecoded(CodeInternal, OutcomeUnknown, t.call.req.queue, "a middleware answered with %T, where %T was expected", msg, zero)
	}
}

// undecoded is the error of a call whose answer is no Resp.
func (c *Client) undecoded(code Code, outcome Outcome, queue, format string, args ...any) *Error {
	c.stats.failed.add(code)
	return localError(code, outcome, queue, format, args...)
}

// Notify sends req to queue for a handler, and asks for no reply. It returns when the
// broker has confirmed the request. Notify does not return errors of the handler. Its own
// errors are like those of [Call]: for example, unavailable if the queue does not exist.
//
// ctx and [WithTimeout] limit only the wait for the broker. If neither sets a limit, Notify
// waits for 30 s at most. The request itself stays in the queue until a handler takes it,
// unless [WithExpiration] sets a deadline.
func Notify[Req any](ctx context.Context, c *Client, queue string, req Req, opts ...CallOption) (err error) {
	cfg := c.callConfig(opts)
	t := newCall[Req, None](queue, req)
	t.call.req.kind, t.call.req.respType = KindNotification, nil
	defer c.rescue(&t.call.req, &err)
	_, err = c.start(ctx, &t.outgoing, &cfg)
	return err
}

// Go starts a call and returns at once. The Future gets the answer. ctx limits the call as
// in [Call].
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

// Future is the answer to a call that [Go] has started. It is safe for concurrent use.
type Future[Resp any] struct {
	queue string
	done  chan struct{}
	resp  Resp
	err   error
}

// Done returns a channel that is closed when the call has ended.
func (f *Future[Resp]) Done() <-chan struct{} { return f.done }

// Await waits for the answer and returns what [Call] would return. If ctx ends first, Await
// returns an error with the code deadline_exceeded or canceled, and the outcome unknown.
// The call then goes on, and Await may be called again.
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
