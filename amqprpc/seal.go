package amqprpc

import (
	"context"
	"slices"
)

// serverSeal is what each step of a server's chain goes through, so that all
// middleware outward of it sees a response that is encoded, or the error of that.
func (e *endpoint) serverSeal(next Invoker) Invoker {
	return func(ctx context.Context, req *Request) (*Response, error) {
		resp, err := next(ctx, req)
		if isNilError(err) {
			err = e.server.panicked(e.queue, "a nil *Error was returned as an error")
		}
		if err != nil {
			return nil, e.ownError(ctx, err)
		}
		if resp == nil {
			return nil, errNeither(req)
		}
		if resp.codec == nil {
			resp.bind(req, e.replyCodec(req, resp.contentType))
		}
		if req.kind == KindUnary || req.kind == KindClientStream {
			if _, err := resp.Body(); err != nil {
				return nil, err
			}
		}
		return resp, nil
	}
}

// clientSeal is what each step of a client's chain goes through, so that all
// middleware outward of it sees the very error that the caller would: with a
// code, and with the outcome of this call.
func (c *Client) clientSeal(next Invoker) Invoker {
	return func(ctx context.Context, req *Request) (*Response, error) {
		resp, err := next(ctx, req)
		if err == nil && resp == nil || isNilError(err) {
			err = errNeither(req)
		}
		if err != nil {
			return nil, c.ownError(req, err)
		}
		if resp.codec == nil {
			resp.bind(req, c.replyCodec(req, resp.contentType))
		}
		return resp, nil
	}
}

// ownError makes of an error of a call that the handler or a middleware has made an
// error of the handler's own: what a callee answered says nothing to the handler's
// caller, not even with its code, unless WithCalleeCodes says so. An Error around it
// is the handler's own already, and so is that its own time is over.
func (e *endpoint) ownError(ctx context.Context, err error) error {
	callee, ok := errorIn(err)
	if !ok || !callee.ofCall() {
		return err
	}
	if ctx.Err() != nil && callee.code == CodeOf(ctx.Err()) {
		return &Error{code: callee.code, message: "the handler's ctx has ended: " + ctx.Err().Error(), cause: err}
	}
	for _, codes := range [][]Code{e.server.cfg.calleeCodes, e.cfg.calleeCodes} {
		if slices.Contains(codes, callee.code) {
			return NewError(callee.code, err)
		}
	}
	return &Error{code: CodeInternal, message: "the handler's call to another service failed", cause: err}
}

// isNilError reports whether err is not nil and holds a nil *Error.
func isNilError(err error) bool {
	e, ok := err.(*Error)
	return ok && e == nil
}

func errNeither(req *Request) error {
	return Errorf(CodeInternal, "queue %s: a middleware returned neither a response nor an error", req.queue)
}

// ownError makes of what a step returned an error of this call. What the wire
// returned is one already. One that middleware made, or got from another call of
// its own, says nothing of this call's outcome: where no attempt was made nothing
// was sent, else all is possible.
func (c *Client) ownError(req *Request, err error) error {
	if e, ok := errorIn(err); ok && e.call == req.ref() {
		return req.out.call.family.sure(err, e)
	}
	own := *asWireError(err)
	if own.queue != "" {
		own.message = own.Error() // it says which call
	}
	own.cause, own.call = err, req.ref()
	own.remote, own.queue = false, req.queue
	own.outcome = OutcomeUnknown
	if req.isUnsent() {
		own.outcome = OutcomeNotSent
	}
	return &own
}

// callRef names a call of this process: by its client's id and its number.
type callRef struct {
	client string
	number uint64
}

func (r *Request) ref() callRef {
	pc := &r.out.call
	number := pc.number
	if pc.family != nil {
		number = pc.family.call
	}
	return callRef{pc.client.id, number}
}
