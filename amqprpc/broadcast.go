package amqprpc

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/protocol"
)

// ErrNoInstance is wrapped by the errors that say that nobody is there: of a broadcast that no
// server has accepted, and of a call [WithInstance] to a server that is not there.
var ErrNoInstance = errors.New("no instance is there")

// nobody makes an error wrap ErrNoInstance.
func nobody(e *Error) *Error {
	e.cause = ErrNoInstance
	return e
}

// Answer is what one instance has answered to [All].
type Answer[T any] struct {
	Instance string // the ID of the instance: see [Server.Instance]. "" if the error is of the whole broadcast
	Value    T      // the zero value if there is an error
	Header   Header // the metadata of the reply; nil if there is none
}

// All sends req to all servers that have registered a handler of queue [WithBroadcast], and
// returns their answers in the order in which they come. The servers need not do anything at
// the same time, and the queue itself gets nothing.
//
// Nothing happens until the answers are ranged over, and each range is a broadcast of its own.
// The range ends when every server that has accepted the request has answered. A loop that
// breaks cancels the handlers that still run: to wait for three answers, break after the third.
//
// An error with an Instance is of this instance alone, and does not end the range. It is the
// handler's error, or it is one of these:
//
//   - unavailable, unknown: the server had accepted, and then died or lost its connection for
//     three heartbeats. [WithLiveness] sets the interval, which is 2 s by default
//   - unavailable, not executed: the server is stopping, or does not consume the queue
//   - resource_exhausted, not executed: the server has too many such requests already
//
// An error without an Instance is the last pair:
//
//   - unavailable, not executed: no server takes broadcasts of the queue. All learns this in one
//     round trip. The error wraps [ErrNoInstance]
//   - unavailable, unknown: no server has accepted within [WithAcceptWait]. The error wraps
//     ErrNoInstance, too
//   - unavailable, unknown: the replies were lost
//   - permission_denied if the user may not write to the exchange amqprpc.control
//   - deadline_exceeded or canceled if ctx ended. All ends at the deadline of a call
//
// Nobody can tell how many servers should have answered. When all that have accepted have
// answered, All waits for further accepts for 50 ms, counted from the last accept, or for twice
// as long as that one took, up to [WithAcceptWait]. A server that accepts later is missed: its
// handler runs, but nobody gets its answer.
//
// Each handler runs at most once. All does not send again, so that [WithIdempotent] has no
// effect, and neither have [WithPriority] and [WithPersistent]. Middleware of the client
// surrounds the whole broadcast: it sees one request of the kind [KindBroadcast], whose end is
// the end of the range, and a response without a message. [Request.OnMessage] shows it the
// answers. What has been answered cannot be sent again: a second next then fails.
//
// Answers that are not ranged over yet stay in memory. If they have more bytes than sixteen
// messages may have ([WithMaxMessageSize]), a further answer becomes resource_exhausted, with
// the outcome of the answer.
func All[Req, Resp any](ctx context.Context, c *Client, queue string, req Req, opts ...CallOption) iter.Seq2[Answer[Resp], error] {
	return func(yield func(Answer[Resp], error) bool) {
		t := newCall[Req, None](queue, req)
		t.call.req.kind = KindBroadcast
		b := c.startBroadcast(ctx, &t.outgoing, opts)
		defer b.stop()
		for {
			got, more, err := b.next()
			if err != nil {
				yield(Answer[Resp]{}, err)
			}
			if !more {
				return
			}
			a, err := readAnswer[Resp](b, got)
			if !yield(a, err) {
				return
			}
		}
	}
}

// readAnswer decodes an answer.
func readAnswer[T any](b *broadcast, got answered) (a Answer[T], err error) {
	a.Instance = got.instance
	if got.err != nil {
		return a, got.err
	}
	req, d := &b.out.call.req, &got.reply
	a.Header = protocol.Metadata(d.headers)
	_, cd, body, failure := b.client.decoder(req, d)
	if failure != nil {
		return a, failure
	}
	var v T
	if err := decodeBody(cd, body, &v, messageOf[T]{}.none()); err != nil {
		return a, localError(CodeInternal, OutcomeExecuted, req.queue, "the reply of %s does not decode: %w", got.instance, err)
	}
	if err := req.look(MessageReceived, &v); err != nil {
		return a, localError(CodeOf(err), OutcomeExecuted, req.queue, "%w", err)
	}
	a.Value = v
	return a, nil
}

// NotifyAll sends req to all servers that have registered a handler of queue [WithBroadcast],
// and asks for no answers. It returns when the broker has taken the request. The error is
// unavailable, not executed, if no server takes broadcasts of the queue.
//
// The request expires when NotifyAll does, after 30 s if neither ctx nor [WithTimeout] says
// otherwise. [WithExpiration] sets another time. Each handler runs at most once. A handler does
// not run if its server is busy with too many such requests, or is about to stop.
func NotifyAll[Req any](ctx context.Context, c *Client, queue string, req Req, opts ...CallOption) (err error) {
	cfg := c.callConfig(opts)
	t := newCall[Req, None](queue, req)
	r := &t.call.req
	r.kind, r.respType = KindNotification, nil
	r.part().broadcast = newBroadcast(c, &t.outgoing)
	defer c.rescue(r, &err)
	_, err = c.start(ctx, &t.outgoing, &cfg)
	return err
}

// All sends a request to all servers of the method that take broadcasts: see [All].
func (m Method[Req, Resp]) All(ctx context.Context, c *Client, req Req, opts ...CallOption) iter.Seq2[Answer[Resp], error] {
	return All[Req, Resp](ctx, c, string(m), req, opts...)
}

// NotifyAll sends a notification to all servers of the method that take broadcasts: see
// [NotifyAll].
func (m Method[Req, Resp]) NotifyAll(ctx context.Context, c *Client, req Req, opts ...CallOption) error {
	return NotifyAll(ctx, c, string(m), req, opts...)
}

// WithInstance sends a call or a notification to one server alone, instead of the queue that
// all servers share. The ID is that of [Server.Instance], as [Answer.Instance] has it, or as
// the server itself has told. It goes to the handler of the call's queue, which needs no
// option for that.
//
// If there is no such instance, the error is unavailable, not executed, after one round trip,
// and wraps [ErrNoInstance].
// The broker keeps the mailbox of a server that was killed for a minute. Until then a call to
// it waits for its deadline. [WithLiveness] makes a call end soon if the server dies after it
// got the request. If the instance has no handler for the queue, the error is unimplemented.
//
// The handler runs at most once for each attempt, and the request of a notification expires as
// with [NotifyAll]. Streams and broadcasts do not take the option.
func WithInstance(id string) CallOption {
	return callOption(func(c *callConfig) { c.instance = id })
}

// WithAcceptWait sets how long [All] waits for a server that accepts the request. The default
// is 250 ms. When all servers that have accepted have answered, All waits for further ones for
// a fifth of it at least and for all of it at most, counted from the last accept. Values of zero
// and below leave the default.
func WithAcceptWait(d time.Duration) CallOption {
	return callOption(func(c *callConfig) {
		if d > 0 {
			c.acceptWait = min(d, forever)
		}
	})
}
