package contender

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"sync/atomic"

	amqp "github.com/rabbitmq/amqp091-go"
)

const baselinePrefetch = 256

var errConnectionLost = errors.New("the connection was lost")

// baselineServer consumes each queue on a channel of its own. The prefetch keeps the server
// busy. Each request runs on a goroutine of its own.
type baselineServer struct {
	conn     *amqp.Connection
	payload  *payload
	work     Work
	handlers sync.WaitGroup
}

func serveBaseline(o Options, p *payload, work Work) (Server, error) {
	conn, err := amqp.Dial(o.URL)
	if err != nil {
		return nil, err
	}
	s := &baselineServer{conn: conn, payload: p, work: work}
	for _, q := range o.served() {
		if err := s.serve(o, q); err != nil {
			conn.Close()
			return nil, err
		}
	}
	return s, nil
}

func (s *baselineServer) serve(o Options, queue string) error {
	ch, err := s.conn.Channel()
	if err != nil {
		return err
	}
	only := o
	only.Queue, only.Queues, only.Parts = queue, 1, 1
	if err := only.declare(ch); err != nil {
		return err
	}
	prefetch := baselinePrefetch
	if o.Concurrency > 0 {
		prefetch = o.Concurrency
	}
	if err := ch.Qos(prefetch, 0, false); err != nil {
		return err
	}
	deliveries, err := ch.Consume(queue, "", false, false, false, false, nil)
	if err != nil {
		return err
	}
	s.handlers.Go(func() {
		for d := range deliveries {
			s.handlers.Go(func() { s.handle(ch, &d) })
		}
	})
	return nil
}

func (s *baselineServer) handle(ch *amqp.Channel, d *amqp.Delivery) {
	s.work(context.Background())
	body, err := s.payload.echo(d.Body)
	if err != nil {
		d.Reject(false)
		return
	}
	err = ch.Publish("", d.ReplyTo, false, false, amqp.Publishing{
		ContentType:   s.payload.contentType,
		CorrelationId: d.CorrelationId,
		Body:          body,
	})
	if err == nil {
		d.Ack(false)
	}
}

// Close implements Server.
func (s *baselineServer) Close() error {
	err := s.conn.Close()
	s.handlers.Wait()
	return err
}

// baselineClient publishes and consumes replies on one channel.
type baselineClient struct {
	conn    *amqp.Connection
	ch      *amqp.Channel
	queues  []string
	replyTo string
	mode    uint8
	payload *payload
	next    atomic.Uint64
	pending sync.Map // correlation id → chan []byte
	lost    chan struct{}
}

func dialBaseline(o Options, p *payload) (Client, error) {
	conn, err := amqp.Dial(o.URL)
	if err != nil {
		return nil, err
	}
	c := &baselineClient{conn: conn, queues: o.queues(), mode: o.deliveryMode(), payload: p, lost: make(chan struct{})}
	replies, err := c.consume()
	if err != nil {
		conn.Close()
		return nil, err
	}
	go c.read(replies)
	return c, nil
}

func (c *baselineClient) consume() (<-chan amqp.Delivery, error) {
	var err error
	if c.ch, err = c.conn.Channel(); err != nil {
		return nil, err
	}
	q, err := c.ch.QueueDeclare("", false, true, true, false, nil)
	if err != nil {
		return nil, err
	}
	c.replyTo = q.Name
	return c.ch.Consume(q.Name, "", true, true, false, false, nil)
}

func (c *baselineClient) read(replies <-chan amqp.Delivery) {
	defer close(c.lost)
	for d := range replies {
		if wait, ok := c.pending.LoadAndDelete(d.CorrelationId); ok {
			wait.(chan []byte) <- d.Body
		}
	}
}

// Call implements Client.
func (c *baselineClient) Call(ctx context.Context, n int) error {
	body, err := c.payload.encode(n)
	if err != nil {
		return err
	}
	id := strconv.FormatUint(c.next.Add(1), 10)
	wait := make(chan []byte, 1)
	c.pending.Store(id, wait)
	defer c.pending.Delete(id)
	err = c.ch.PublishWithContext(ctx, "", c.queues[n%len(c.queues)], false, false, amqp.Publishing{
		ContentType:   c.payload.contentType,
		DeliveryMode:  c.mode,
		CorrelationId: id,
		ReplyTo:       c.replyTo,
		Body:          body,
	})
	if err != nil {
		return err
	}
	select {
	case reply := <-wait:
		return c.payload.check(reply, n)
	case <-ctx.Done():
		return ctx.Err()
	case <-c.lost:
		return errConnectionLost
	}
}

// Close implements Client.
func (c *baselineClient) Close() error {
	err := c.conn.Close()
	<-c.lost
	return err
}
