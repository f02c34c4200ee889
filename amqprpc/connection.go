package amqprpc

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/messaging"
	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/protocol"
)

// connectionName is what the broker and the log call the connection.
func (c *connConfig) connectionName(role string) string {
	name := c.name
	if name == "" {
		name = filepath.Base(os.Args[0]) + " (amqprpc " + role + ")"
	}
	// A longer one could exceed the frame in which the handshake sends it.
	return strings.ToValidUTF8(name[:min(len(name), protocol.MaxShortString)], "")
}

// dialer makes the dialer of a client's or a server's connections.
func (c *connConfig) dialer(url, role string) (*messaging.Dialer, error) {
	return messaging.NewDialer(messaging.Config{
		URLs: append([]string{url}, c.brokers...), Name: c.connectionName(role),
		Heartbeat: c.heartbeat, Timeout: messaging.SetupTimeout,
		TLS: c.tls, Dial: c.dial,
	})
}

// connectTo sets up what the client has on the broker.
func (c *Client) connectTo(dialer *messaging.Dialer) {
	c.broker.Publisher = messaging.Publisher{
		Unconfirmed: c.cfg.unconfirmed,
		Returned:    c.returned,
		TooLarge:    c.loseChannel,
		Others:      func() bool { return c.pending.count.Load() > 1 }, // a lone call waits for nobody
		Log:         c.log,
	}
	c.broker.Mailbox = messaging.Mailbox{
		What:      "the reply queue",
		Mode:      messaging.Mode(c.cfg.replyMode),
		Expires:   c.cfg.replyExpires,
		NewName:   func() string { return protocol.ReplyQueuePrefix + protocol.NewID() },
		Receive:   c.receive,
		Forgotten: c.loseReplies,
		Restarted: c.loseRequests,
	}
	if c.cfg.bounce {
		m := &c.broker.Mailbox
		m.Exchange, m.Kind = protocol.BounceExchange, messaging.KindHeaders
		m.Bind = []messaging.Binding{{Args: protocol.BounceArguments(c.id)}}
	}
	c.streams.address = c.broker.StreamAddress
	c.broker.Streams = &c.streams.writer
	c.broker.Box = messaging.Mailbox{What: "the queue for streams", Mode: messaging.Exclusive, Receive: c.receiveBoxed}
	c.broker.Control = messaging.ControlSender{Exchange: protocol.ControlExchange, Log: c.log}
	c.broker.Farewell = c.farewell
	c.broker.Init()
	c.session = messaging.Session{
		Dialer:  dialer,
		Probe:   protocol.ProbePrefix + protocol.NewID(),
		UserID:  c.user,
		Fatal:   func() bool { return false }, // somebody may yet mend it; Dial does not wait for that
		Up:      c.connected,
		Down:    c.disconnected,
		Blocked: c.block,
	}
}

// run keeps the client connected until ctx is done.
func (c *Client) run(ctx context.Context) {
	c.session.Run(ctx, func(work context.Context, conn *messaging.Conn, up func()) error {
		return explainReplyQueue(c.broker.Use(work, ctx, conn, up))
	})
	c.health.end(ErrClientClosed, time.Time{})
}

// explainReplyQueue says what a user whom the broker denies a reply queue must be
// granted.
func explainReplyQueue(err error) error {
	if err == nil || messaging.Code(err) != messaging.CodeAccessRefused {
		return err
	}
	return messaging.Permanent(fmt.Errorf("%w: the user may not; grant it configure and read on its reply queue (for WithBounce write, too, and configure and read on amqprpc.bounce), or use WithReplyMode(ReplyDirect), which needs no queue", err))
}

// connected is called when requests can be published.
func (c *Client) connected(again bool) {
	c.upSince.Store(int64(c.age()))
	if again {
		c.stats.reconnects.Add(1)
	}
	c.streams.connected()
	c.health.up(again, c.broker.Mailbox.Address())
	c.tried(nil)
}

// tried says how an attempt to connect has ended, for Dial.
func (c *Client) tried(err error) {
	select {
	case c.first <- err:
	default: // one end is enough
	}
}

// disconnected is called when the connection is lost, or an attempt to make it has
// failed.
func (c *Client) disconnected(err error, wasUp bool, retryIn time.Duration) {
	c.blocked.Store(false) // now that nobody tells what the broker said on the connection
	if !wasUp && messaging.IsPermanent(err) {
		c.tried(err) // first: the state callback may end the ctx of Dial
	}
	c.health.down(err, wasUp, retryIn)
	c.streams.disconnected()
	if wasUp && c.cfg.replyMode != ReplyResumable {
		c.streams.unreachable(Errorf(CodeUnavailable, "the stream was lost with the connection: %w", err))
		c.broadcasts.lose(err)
	}
	if wasUp {
		c.loseConnection(err)
	}
}

// block is called when the broker takes no publishes for now, and when it takes
// them again (https://www.rabbitmq.com/docs/connection-blocked).
func (c *Client) block(active bool, reason string) {
	c.blocked.Store(active)
	c.streams.block(active)
	c.health.block(active, reason)
	if !active {
		return
	}
	for _, pc := range c.pending.all() {
		if a := pc.inFlight(); a != nil && a.abandon() {
			a.settle(errBlocked(pc.req.queue))
		}
	}
}

// loseChannel fails the calls whose requests are larger than the broker's limit. The broker
// has closed the channel because of such a request. It has handled the requests before this
// one, and the publisher publishes the requests after it again.
func (c *Client) loseChannel(connection int64, limit int) {
	lowerTo(&c.maxBody, limit)
	c.log.Warn("amqprpc: the broker refused a request for its size; larger ones are not sent any more", "limit", limit)
	for _, pc := range c.pending.all() {
		a := pc.inFlight()
		if a == nil || a.state.Load() != attemptWritten || a.connection.Load() != connection || a.acked.Load() {
			continue
		}
		switch {
		case a.Size() > limit:
			a.settle(errTooLarge(&pc.req, a.Size(), limit, OutcomeNotExecuted))
		case pc.req.kind == KindNotification || c.cfg.unconfirmed && pc.send.idempotent:
			c.resend(a, "the channel was lost before the broker confirmed the request", errChannelLost)
		}
	}
}

var errChannelLost = errors.New("another request was larger than the broker allows")

func errTooLarge(req *Request, size, limit int, outcome Outcome) *Error {
	return localError(CodeResourceExhausted, outcome, req.queue,
		"the request has %d bytes; the limit is %d (WithMaxMessageSize, or the broker's max_message_size)", size, limit)
}

// lowerTo lowers a limit to what the broker has been found to take.
func lowerTo(limit *atomic.Int64, n int) {
	for old := limit.Load(); int64(n) < old && !limit.CompareAndSwap(old, int64(n)); old = limit.Load() {
	}
}

// loseConnection decides what happens to the attempts whose fate is unknown since the
// connection was lost. Attempts that the broker has confirmed go on waiting if the client
// returns to the same reply queue.
func (c *Client) loseConnection(cause error) {
	for _, pc := range c.pending.all() {
		a := pc.inFlight()
		if a == nil {
			continue
		}
		if pc.send.failFast && a.abandon() {
			a.settle(localError(CodeUnavailable, OutcomeNotSent, pc.req.queue, "the connection was lost before the request was sent: %w", cause))
			continue
		}
		if a.state.Load() != attemptWritten || a.connection.Load() != c.broker.Number() {
			continue
		}
		confirmed := a.acked.Load() || (c.cfg.unconfirmed && pc.req.kind != KindNotification && !pc.send.idempotent)
		switch {
		case c.cfg.replyMode != ReplyResumable && pc.req.kind != KindNotification:
			c.resend(a, "the reply was lost with the connection", cause)
		case !confirmed:
			c.resend(a, "the connection was lost before the broker confirmed the request", cause)
		}
	}
}

// loseReplies decides what happens to every attempt that was written, because its reply
// queue is gone.
func (c *Client) loseReplies(queue string, cause error) {
	c.log.Warn("amqprpc: the reply queue is lost; calls and streams in flight end as unknown", "queue", queue, "error", cause)
	c.streams.unreachable(Errorf(CodeUnavailable, "the reply queue was lost while the client was away: %w", cause))
	c.broadcasts.lose(cause)
	for _, pc := range c.pending.all() {
		a := pc.inFlight()
		if a != nil && pc.req.kind != KindNotification && a.state.Load() == attemptWritten {
			c.resend(a, "the reply queue was lost while the client was away", cause)
		}
	}
}

var errRestarted = errors.New("transient requests do not survive a restart (WithPersistent)")

// loseRequests decides what happens to the attempts that are not persistent, because a
// restart of the broker has lost their requests.
func (c *Client) loseRequests(queue string) {
	c.log.Warn("amqprpc: the broker has restarted; calls end as unknown if it has lost their requests", "reply_queue", queue)
	for _, pc := range c.pending.all() {
		a := pc.inFlight()
		if a != nil && pc.req.kind != KindNotification && !pc.send.persistent && a.state.Load() == attemptWritten {
			c.resend(a, "the broker has restarted", errRestarted)
		}
	}
}

// resend makes another attempt at an idempotent call whose last attempt may be lost. It
// fails any other call.
func (c *Client) resend(a *attempt, what string, cause error) {
	if !a.call.send.idempotent {
		a.settle(localError(CodeUnavailable, OutcomeUnknown, a.call.req.queue, "%s: %w", what, cause))
		return
	}
	c.sendAgain(a)
}

// sendAgain makes another attempt at a call, if a still counts.
func (c *Client) sendAgain(a *attempt) {
	if b := a.next(); b != nil {
		c.stats.resent.Add(1)
		c.broker.Publisher.Queue(b)
	}
}
