package amqprpc

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

const (
	replyQueuePrefix = "amqprpc.reply."
	directReplyTo    = "amq.rabbitmq.reply-to"
	replyPrefetch    = 2000 // messages that the broker sends ahead of their acknowledgement
	publishBatch     = 64
	notifyBuffer     = 1024
	closeTimeout     = 2 * time.Second
	resumeTimeout    = 5 * time.Second // of going back to a reply queue, which otherwise takes a millisecond
)

// clientEpoch is a client's time with one connection.
type clientEpoch struct {
	client  *Client
	link    *link
	number  int64
	replyTo string

	frameMax int

	calls         *publisher
	notifications *publisher           // the same as calls where those are confirmed
	renewed       chan *publisher      // to be used instead of notifications
	replies       *channel             // nil with direct reply-to, where calls has them
	deliveries    <-chan amqp.Delivery // none come; it is closed when the consumer ends
	acks          replyAcks
	types         recurring // content types of replies
	manualAck     bool

	eyes  chan struct{} // whoever has put a token in may use eye, for a round trip
	eye   *amqp.Channel // for looking at queues; opened when it is first wanted
	mu    sync.Mutex
	over  bool
	tasks sync.WaitGroup
}

// connect makes the connection, the channels and the reply queue of an epoch.
func (c *Client) connect(ctx context.Context) (_ *clientEpoch, err error) {
	l, err := c.dialer.dial(ctx)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			l.close(closeTimeout)
		}
	}()
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	if c.epochs == 0 {
		if err = l.mayPublish(ctx); err != nil {
			return nil, err
		}
	}
	c.epochs++
	ep := &clientEpoch{client: c, link: l, number: c.epochs, frameMax: l.conn.Config.FrameSize, eyes: make(chan struct{}, 1), renewed: make(chan *publisher)}
	ep.acks.init()
	if ep.calls, err = ep.openCalls(ctx); err != nil {
		return nil, err
	}
	ep.notifications = ep.calls
	if c.cfg.unconfirmed {
		if ep.notifications, err = ep.openNotifications(ctx); err != nil {
			return nil, err
		}
	}
	if err = ep.openReplies(ctx); err != nil {
		return nil, err
	}
	return ep, nil
}

// openCalls opens the channel of the calls.
func (ep *clientEpoch) openCalls(ctx context.Context) (*publisher, error) {
	p, err := newPublisher(ctx, ep.client, ep.link, !ep.client.cfg.unconfirmed)
	if err != nil {
		return nil, err
	}
	if ep.client.cfg.replyMode == ReplyDirect {
		// The broker wants consumer and publisher on one channel, and the
		// consumer first.
		_, err = ep.consume(ctx, p.ch, directReplyTo, nil)
		return p, err
	}
	p.ch.listen()
	return p, nil
}

// openNotifications opens a channel for what is always confirmed.
func (ep *clientEpoch) openNotifications(ctx context.Context) (*publisher, error) {
	p, err := newPublisher(ctx, ep.client, ep.link, true)
	if err == nil {
		p.ch.listen()
	}
	return p, err
}

// replace has what is confirmed written to p from now on. It is the publishing
// goroutine's.
func (ep *clientEpoch) replace(p *publisher) {
	if ep.calls == ep.notifications {
		ep.calls = p
	}
	ep.notifications = p
}

// openReplies starts to consume replies, in the way that the reply mode says.
func (ep *clientEpoch) openReplies(ctx context.Context) (err error) {
	c := ep.client
	switch c.cfg.replyMode {
	case ReplyDirect:
		ep.replyTo = directReplyTo
		return nil
	case ReplyExclusive:
		if ep.replies, err = ep.link.channel(ctx); err != nil {
			return err
		}
		err = ep.link.do(ctx, func() error {
			q, err := ep.replies.QueueDeclare("", false, true, true, false, nil)
			ep.replyTo = q.Name
			return err
		})
		if err != nil {
			return explainReplyQueue("a server-named exclusive queue", err)
		}
		if ep.deliveries, err = ep.consume(ctx, ep.replies, ep.replyTo, nil); err != nil {
			return explainReplyQueue(ep.replyTo, err)
		}
		return nil
	default:
		return ep.resumeReplies(ctx)
	}
}

// resumeReplies goes back to the client's reply queue, or begins a new one where
// there is none to go back to; the replies to all that was sent are then lost.
func (ep *clientEpoch) resumeReplies(ctx context.Context) (err error) {
	c := ep.client
	ep.manualAck = true
	// A half-open predecessor of this connection goes on receiving replies until
	// the broker notices; the higher priority leaves it only what it has.
	args := amqp.Table{"x-priority": int32(min(ep.number, 1<<30))}
	if c.replyQueue != "" {
		patience, cancel := context.WithTimeout(ctx, resumeTimeout)
		err = ep.openReplyQueue(patience, c.replyQueue, true, args)
		// A queue whose node is gone may be asked for in vain for a minute.
		silent := errors.Is(patience.Err(), context.DeadlineExceeded)
		cancel()
		if err == nil {
			return nil
		}
		if e, ok := errors.AsType[*amqp.Error](err); !silent && (!ok || !e.Server || ep.link.conn.IsClosed()) {
			return err // of the connection; it says nothing of the queue
		}
		c.log.Warn("amqprpc: the reply queue is lost; calls in flight end as unknown", "queue", c.replyQueue, "error", err)
		c.loseReplies(err)
		c.replyQueue = ""
		if silent {
			return err // the connection was given up with the question
		}
	}
	name := replyQueuePrefix + newID()
	if err = ep.openReplyQueue(ctx, name, false, args); err != nil {
		return explainReplyQueue(name, err)
	}
	c.replyQueue = name
	return nil
}

func (ep *clientEpoch) openReplyQueue(ctx context.Context, name string, passive bool, args amqp.Table) (err error) {
	if ep.replies, err = ep.link.channel(ctx); err != nil {
		return err
	}
	ep.replyTo = name
	err = ep.link.do(ctx, func() error {
		if passive {
			_, err := ep.replies.QueueDeclarePassive(name, true, false, false, false, nil)
			return err
		}
		_, err := ep.replies.QueueDeclare(name, true, false, false, false, amqp.Table{
			"x-expires": ep.client.cfg.replyExpires.Milliseconds(),
		})
		return err
	})
	if err != nil {
		return err
	}
	ep.deliveries, err = ep.consume(ctx, ep.replies, name, args)
	return err
}

// consume has the replies in a queue delivered through ch.
func (ep *clientEpoch) consume(ctx context.Context, ch *channel, queue string, args amqp.Table) (deliveries <-chan amqp.Delivery, err error) {
	ch.tap.deliver = ep.received
	ch.listen()
	err = ep.link.do(ctx, func() (err error) {
		if ep.client.cfg.bounce {
			if err = ep.bindBounce(); err != nil {
				return err
			}
		}
		if ep.manualAck {
			if err = ch.Qos(replyPrefetch, 0, false); err != nil {
				return fmt.Errorf("set the prefetch of replies: %w", err)
			}
		}
		deliveries, err = ch.Consume(queue, consumerTag, !ep.manualAck, false, false, false, args)
		if err != nil {
			return fmt.Errorf("consume replies: %w", err)
		}
		return nil
	})
	return deliveries, err
}

func explainReplyQueue(name string, err error) error {
	if amqpCode(err) == amqp.AccessRefused {
		return permanentError{fmt.Errorf("declare the reply queue %s: the user may not; grant it configure and read on it (for WithBounce write, too, and configure and read on amqprpc.bounce), or use WithReplyMode(ReplyDirect), which needs no queue: %w", name, err)}
	}
	return fmt.Errorf("declare the reply queue %s: %w", name, err)
}

// run works the epoch until its connection, or one of its channels, is lost, or
// ctx is done. When it returns nothing of the epoch runs any more.
func (ep *clientEpoch) run(ctx context.Context) error {
	c := ep.client
	work, stop := context.WithCancelCause(ctx)
	if ep.replies != nil {
		ep.tasks.Go(func() { stop(ep.watchReplies()) })
	}
	if ep.manualAck {
		ep.tasks.Go(func() { ep.acknowledge(work) })
	}
	ep.tasks.Go(ep.watchBlocked)
	calls, confirmed, open := ep.calls, ep.notifications, ep.openCalls
	ep.tasks.Go(func() { calls.watch(stop) })
	if calls != confirmed {
		open = ep.openNotifications
		ep.tasks.Go(func() { confirmed.watch(stop) })
	}
	ep.tasks.Go(func() { ep.renewals(work, confirmed, open, stop) })
	ep.tasks.Go(func() { c.publish(work, ep) })

	var cause error
	select {
	case e := <-ep.link.lost:
		cause = lostError(e)
	case <-work.Done():
		cause = context.Cause(work)
	}
	stop(cause)
	c.current.Store(nil)
	ep.mu.Lock()
	ep.over = true
	ep.mu.Unlock()
	if ctx.Err() != nil {
		ep.farewell()
		ep.link.close(closeTimeout)
	} else {
		ep.link.abort()
		ep.link.conn.CloseDeadline(time.Now())
	}
	ep.tasks.Wait()
	c.blocked.Store(false)
	return cause
}

// farewell deletes the reply queue of a client that is being closed.
func (ep *clientEpoch) farewell() {
	if ep.client.cfg.replyMode != ReplyResumable {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	ep.link.do(ctx, func() error {
		_, err := ep.replies.QueueDelete(ep.replyTo, false, false, false)
		return err
	})
}

// watchBlocked follows connection.blocked, by which the broker says that it
// takes no publishes for now, and fails what waits to be published.
func (ep *clientEpoch) watchBlocked() {
	for b := range ep.link.blocked {
		ep.client.blocked.Store(b.Active)
		if b.Active {
			ep.client.cfg.conn.state(StateBlocked)
			ep.client.failQueued()
			ep.client.log.Warn("amqprpc: the broker has blocked the connection", "reason", b.Reason)
		} else {
			ep.client.cfg.conn.state(StateUnblocked)
			ep.client.log.Info("amqprpc: the broker has unblocked the connection")
		}
	}
}

// failQueued ends the attempts that are not written yet.
func (c *Client) failQueued() {
	for _, oc := range c.pending.all() {
		if a := oc.inFlight(); a != nil && a.state.CompareAndSwap(attemptQueued, attemptAbandoned) {
			a.settle(errBlocked(a.call.req.queue))
		}
	}
}

// watchReplies waits until the consumer of the replies ends, and says why it did.
func (ep *clientEpoch) watchReplies() error {
	closed := ep.replies.NotifyClose(make(chan *amqp.Error, 1))
	for range ep.deliveries {
	}
	select {
	case e := <-closed:
		if e != nil {
			return fmt.Errorf("the channel of the replies was closed: %w", e)
		}
	default:
	}
	return errors.New("the broker cancelled the consumer of the replies: their queue is gone")
}

// received takes a message from the reply queue.
func (ep *clientEpoch) received(m *content) {
	if m.isBatch() && m.exchange != bounceExchange {
		ep.unpack(m)
	} else {
		ep.dispatch(m)
	}
	if ep.manualAck {
		ep.acks.note(m.tag)
	}
}

// unpack dispatches the replies of a batch.
func (ep *clientEpoch) unpack(m *content) {
	var bodies bodies
	whole := eachReply(m.body, func(props, body []byte) {
		// Alone they would have had to fit a frame.
		m.malformed = len(props) > sockFrameMax || m.props.Parse(props) != nil
		m.body = bodies.clone(body)
		ep.dispatch(m)
	})
	if !whole {
		ep.client.stats.unknown.Add(1)
	}
}

// dispatch hands one reply to the call that it answers.
func (ep *clientEpoch) dispatch(m *content) {
	c := ep.client
	number, n, ok := parseCorrelationID(c.prefix, m.props.CorrelationID)
	if !ok || m.malformed {
		c.stats.unknown.Add(1)
		return
	}
	oc := c.pending.get(number)
	headers := headersOf(&m.props)
	// A request that came back has the header, too: there it is a wish.
	if _, alive := headers[headerHeartbeat]; alive && m.exchange != bounceExchange {
		if oc != nil {
			oc.beat(n)
		}
		return
	}
	if oc == nil {
		c.stats.late.Add(1)
		return
	}
	r := wireReply{contentType: ep.types.of(m.props.ContentType), headers: headers, body: m.body, bounced: m.exchange == bounceExchange}
	switch oc.deliver(n, r) {
	case deliveredRepeated:
		c.stats.repeated.Add(1)
	case deliveredStale:
		c.stats.late.Add(1)
	}
}
