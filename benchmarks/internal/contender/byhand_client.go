package contender

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	amqp "github.com/rabbitmq/amqp091-go"
)

const directReplyTo = "amq.rabbitmq.reply-to"

var (
	errNacked   = errors.New("the broker refused the request")
	errReturned = errors.New("there is no such queue")
)

// byHandClient publishes on a channel of its own and handles confirms and returns.
type byHandClient struct {
	o         Options
	conn      *amqp.Connection
	pub       *amqp.Channel
	sub       *amqp.Channel
	replyTo   string
	manualAck bool
	payload   *payload
	prefix    string
	next      atomic.Uint64
	timers    sync.Pool
	pending   sync.Map // correlation id → *handCall

	mu          sync.Mutex // keeps publishes in the order of their delivery tags
	tag         uint64
	unconfirmed map[uint64]*handCall

	lost  chan struct{}
	tasks sync.WaitGroup
}

type handCall struct {
	reply chan []byte
	fail  chan error
}

func dialByHand(o Options, p *payload) (Client, error) {
	conn, err := amqp.Dial(o.URL)
	if err != nil {
		return nil, err
	}
	c := &byHandClient{
		o: o, conn: conn, payload: p, prefix: uuid.NewString() + "-",
		unconfirmed: make(map[uint64]*handCall), lost: make(chan struct{}),
	}
	replies, err := c.open()
	if err != nil {
		conn.Close()
		return nil, err
	}
	c.tasks.Go(func() { c.read(replies) })
	return c, nil
}

func (c *byHandClient) open() (<-chan amqp.Delivery, error) {
	var err error
	if c.pub, err = c.conn.Channel(); err != nil {
		return nil, err
	}
	returns := c.pub.NotifyReturn(make(chan amqp.Return, 1024))
	var confirms chan amqp.Confirmation
	if !c.o.Unconfirmed {
		if err := c.pub.Confirm(false); err != nil {
			return nil, err
		}
		confirms = c.pub.NotifyPublish(make(chan amqp.Confirmation, 1024))
	}
	c.tasks.Go(func() { c.watch(confirms, returns) })
	return c.consume()
}

func (c *byHandClient) consume() (<-chan amqp.Delivery, error) {
	if c.o.Reply == "direct" {
		c.replyTo = directReplyTo
		return c.pub.Consume(directReplyTo, "", true, false, false, false, nil)
	}
	var err error
	if c.sub, err = c.conn.Channel(); err != nil {
		return nil, err
	}
	if c.o.Reply == "exclusive" {
		q, err := c.sub.QueueDeclare("", false, true, true, false, nil)
		if err != nil {
			return nil, err
		}
		c.replyTo = q.Name
		return c.sub.Consume(q.Name, "", true, true, false, false, nil)
	}
	c.manualAck = true
	q, err := c.sub.QueueDeclare("by-hand.reply."+uuid.NewString(), true, false, false, false, amqp.Table{"x-expires": int64(60_000)})
	if err != nil {
		return nil, err
	}
	c.replyTo = q.Name
	if err := c.sub.Qos(2000, 0, false); err != nil {
		return nil, err
	}
	return c.sub.Consume(q.Name, "", false, false, false, false, nil)
}

func (c *byHandClient) watch(confirms <-chan amqp.Confirmation, returns <-chan amqp.Return) {
	for confirms != nil || returns != nil {
		select {
		case r, ok := <-returns:
			if !ok {
				returns = nil
			} else if call, ok := c.pending.Load(r.CorrelationId); ok {
				call.(*handCall).end(errReturned)
			}
		case cf, ok := <-confirms:
			if !ok {
				confirms = nil
				continue
			}
			c.mu.Lock()
			call := c.unconfirmed[cf.DeliveryTag]
			delete(c.unconfirmed, cf.DeliveryTag)
			c.mu.Unlock()
			if call != nil && !cf.Ack {
				call.end(errNacked)
			}
		}
	}
}

func (h *handCall) end(err error) {
	select {
	case h.fail <- err:
	default:
	}
}

// read hands replies to their callers and acks several replies at once.
func (c *byHandClient) read(replies <-chan amqp.Delivery) {
	defer close(c.lost)
	gathered := 0
	var last uint64
	for {
		var d amqp.Delivery
		var ok bool
		select {
		case d, ok = <-replies:
		default:
			if gathered > 0 {
				c.sub.Ack(last, true)
				gathered = 0
			}
			d, ok = <-replies
		}
		if !ok {
			return
		}
		if call, ok := c.pending.LoadAndDelete(d.CorrelationId); ok {
			call.(*handCall).reply <- d.Body
		}
		if !c.manualAck {
			continue
		}
		last = d.DeliveryTag
		if gathered++; gathered == 256 {
			c.sub.Ack(last, true)
			gathered = 0
		}
	}
}

func (c *byHandClient) publish(p amqp.Publishing, call *handCall) error {
	if c.o.Unconfirmed {
		return c.pub.Publish("", c.o.Queue, !c.o.NoMandatory, false, p)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tag++
	c.unconfirmed[c.tag] = call
	return c.pub.Publish("", c.o.Queue, !c.o.NoMandatory, false, p)
}

func (c *byHandClient) timer(d time.Duration) *time.Timer {
	if t, ok := c.timers.Get().(*time.Timer); ok {
		t.Reset(d)
		return t
	}
	return time.NewTimer(d)
}

// Call implements Client.
func (c *byHandClient) Call(ctx context.Context, n int) error {
	body, err := c.payload.encode(n)
	if err != nil {
		return err
	}
	deadline, ok := ctx.Deadline()
	if !ok {
		deadline = time.Now().Add(CallTimeout)
	}
	left := time.Until(deadline)
	p := amqp.Publishing{
		ContentType:   c.payload.contentType,
		DeliveryMode:  c.o.deliveryMode(),
		CorrelationId: c.prefix + strconv.FormatUint(c.next.Add(1), 36),
		ReplyTo:       c.replyTo,
		Body:          body,
	}
	if !c.o.NoMessageID {
		p.MessageId = p.CorrelationId
	}
	if !c.o.NoExpiration {
		p.Expiration = strconv.FormatInt(max(left.Milliseconds(), 1), 10)
	}
	if !c.o.NoDeadline {
		p.Headers = amqp.Table{"rpc-deadline": deadline.UnixMilli()}
	}
	call := &handCall{reply: make(chan []byte, 1), fail: make(chan error, 1)}
	c.pending.Store(p.CorrelationId, call)
	defer c.pending.Delete(p.CorrelationId)
	if err := c.publish(p, call); err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	timeout := c.timer(left)
	defer func() {
		timeout.Stop()
		c.timers.Put(timeout)
	}()
	select {
	case reply := <-call.reply:
		return c.payload.check(reply, n)
	case err := <-call.fail:
		return err
	case <-timeout.C:
		return context.DeadlineExceeded
	case <-ctx.Done():
		return ctx.Err()
	case <-c.lost:
		return errConnectionLost
	}
}

// Close implements Client.
func (c *byHandClient) Close() error {
	err := c.conn.Close()
	c.tasks.Wait()
	return err
}
