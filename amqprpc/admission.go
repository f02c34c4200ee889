package amqprpc

import (
	"context"
	"errors"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/messaging"
	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/protocol"
)

// admit refuses a request that must not be published: it would end the connection,
// and with it every other call.
func (c *Client) admit(ctx context.Context, req *Request) *Error {
	refuse := func(code Code, format string, args ...any) *Error {
		return localError(code, OutcomeNotSent, req.queue, format, args...)
	}
	if c.isClosed() {
		return errClosed(req.queue, OutcomeNotSent)
	}
	if ctx.Err() != nil {
		return ended(ctx, req.queue, OutcomeNotSent, "before it was sent")
	}
	if err := protocol.ValidName(req.queue); err != nil {
		return localError(CodeInvalidArgument, OutcomeNotSent, req.queue, "%w", err)
	}
	if x := req.streaming; x != nil && x.instance != "" {
		switch {
		case req.kind.IsStream() || x.broadcast != nil:
			return refuse(CodeUnimplemented, "WithInstance is for calls and notifications")
		case !protocol.AllowedInstance(req.address()):
			return refuse(CodeInvalidArgument, "%q cannot be the ID of an instance", x.instance)
		}
	}
	switch {
	case len(req.id) > protocol.MaxShortString:
		return refuse(CodeInvalidArgument, "the call's id has %d bytes; AMQP allows %d", len(req.id), protocol.MaxShortString)
	case len(req.contentType) > protocol.MaxShortString:
		return refuse(CodeInvalidArgument, "the codec's content type has %d bytes; AMQP allows %d", len(req.contentType), protocol.MaxShortString)
	}
	if err := protocol.CheckHeader(req.header); err != nil {
		return refuse(headerErrorCode(err), "%w", err)
	}
	if e := req.out.call.compression(); e != nil && !protocol.ValidEncoding(e.Name()) {
		return refuse(CodeInvalidArgument, "%.80q is not the name of an encoding (WithCompression)", e.Name())
	}
	if req.encode(); req.err != nil {
		return localError(CodeInvalidArgument, OutcomeNotSent, req.queue, "the request cannot be encoded: %w", req.err)
	}
	if limit := c.cfg.conn.maxMessageSize; len(req.body) > limit {
		return errTooLarge(req, len(req.body), limit, OutcomeNotSent)
	}
	if size, limit := len(req.wire()), int(c.maxBody.Load()); size > limit {
		return errTooLarge(req, size, limit, OutcomeNotSent)
	}
	if c.blocked.Load() {
		return errBlocked(req.queue)
	}
	return nil
}

// nobodyThere returns the error of a call with WithFailFast if there is no connection, no
// such queue, or no consumer.
func (c *Client) nobodyThere(ctx context.Context, req *Request) *Error {
	refuse := func(format string, args ...any) *Error {
		err := localError(CodeUnavailable, OutcomeNotSent, req.queue, format, args...)
		if req.address() != req.queue {
			err = nobody(err)
		}
		return err
	}
	i := c.broker.Inspect(ctx, req.address())
	switch {
	case ctx.Err() != nil:
		return ended(ctx, req.queue, OutcomeNotSent, "before it was sent")
	case i.Hidden():
		return nil
	case i.Gone():
		return refuse("there is no such queue: has a server registered it on this virtual host?")
	case i.Err != nil:
		return c.notConnected(req)
	case i.Consumers == 0:
		return refuse("nobody consumes the queue, which has %s waiting", messaging.Counted(i.Messages, "message"))
	default:
		return nil
	}
}

func (c *Client) notConnected(req *Request) *Error {
	why := c.whyDown()
	if why == nil {
		why = errors.New("the connection was just lost")
	}
	return localError(CodeUnavailable, OutcomeNotSent, req.queue, "the client is not connected: %w", why)
}
