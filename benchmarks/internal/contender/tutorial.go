package contender

import (
	"context"
	"errors"
	"sync"

	"github.com/google/uuid"
	amqp "github.com/rabbitmq/amqp091-go"
)

// tutorialServer is the server of https://www.rabbitmq.com/tutorials/tutorial-six-go. It
// handles one request at a time on the consuming goroutine. Unlike the tutorial's queue, this
// queue is durable, so that all contenders have the same kind of queue.
type tutorialServer struct {
	conn *amqp.Connection
	done chan struct{}
}

func serveTutorial(o Options, p *payload, work Work) (_ Server, err error) {
	conn, err := amqp.Dial(o.URL)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			conn.Close()
		}
	}()
	ch, err := conn.Channel()
	if err != nil {
		return nil, err
	}
	if err := o.declare(ch); err != nil {
		return nil, err
	}
	if err := ch.Qos(1, 0, false); err != nil {
		return nil, err
	}
	requests, err := ch.Consume(o.Queue, "", false, false, false, false, nil)
	if err != nil {
		return nil, err
	}
	s := &tutorialServer{conn: conn, done: make(chan struct{})}
	go func() {
		defer close(s.done)
		for d := range requests {
			work(context.Background())
			body, err := p.echo(d.Body)
			if err != nil {
				return
			}
			ch.PublishWithContext(context.Background(), "", d.ReplyTo, false, false, amqp.Publishing{
				ContentType:   p.contentType,
				CorrelationId: d.CorrelationId,
				Body:          body,
			})
			d.Ack(false)
		}
	}()
	return s, nil
}

// Close implements Server.
func (s *tutorialServer) Close() error {
	err := s.conn.Close()
	<-s.done
	return err
}

// tutorialClients holds one of the tutorial's clients for each caller. A client makes one
// call at a time.
type tutorialClients struct {
	o       Options
	payload *payload
	mu      sync.Mutex
	all     []*tutorialClient
	idle    []*tutorialClient
}

type tutorialClient struct {
	conn    *amqp.Connection
	ch      *amqp.Channel
	replyTo string
	replies <-chan amqp.Delivery
}

func newTutorialClients(o Options, p *payload) Client {
	return &tutorialClients{o: o, payload: p}
}

func (t *tutorialClients) take() (*tutorialClient, error) {
	t.mu.Lock()
	if n := len(t.idle); n > 0 {
		c := t.idle[n-1]
		t.idle = t.idle[:n-1]
		t.mu.Unlock()
		return c, nil
	}
	t.mu.Unlock()
	conn, err := amqp.Dial(t.o.URL)
	if err != nil {
		return nil, err
	}
	c := &tutorialClient{conn: conn}
	if err := c.consume(); err != nil {
		conn.Close()
		return nil, err
	}
	t.mu.Lock()
	t.all = append(t.all, c)
	t.mu.Unlock()
	return c, nil
}

func (t *tutorialClients) put(c *tutorialClient) {
	t.mu.Lock()
	t.idle = append(t.idle, c)
	t.mu.Unlock()
}

func (c *tutorialClient) consume() error {
	var err error
	if c.ch, err = c.conn.Channel(); err != nil {
		return err
	}
	q, err := c.ch.QueueDeclare("", false, false, true, false, nil)
	if err != nil {
		return err
	}
	c.replyTo = q.Name
	c.replies, err = c.ch.Consume(q.Name, "", true, false, false, false, nil)
	return err
}

// Call implements Client. After a timeout the client is not used again, because its next
// reply may answer the earlier call.
func (t *tutorialClients) Call(ctx context.Context, n int) error {
	c, err := t.take()
	if err != nil {
		return err
	}
	body, err := t.payload.encode(n)
	if err != nil {
		return err
	}
	id := uuid.NewString()
	err = c.ch.PublishWithContext(ctx, "", t.o.Queue, false, false, amqp.Publishing{
		ContentType:   t.payload.contentType,
		DeliveryMode:  t.o.deliveryMode(),
		CorrelationId: id,
		ReplyTo:       c.replyTo,
		Body:          body,
	})
	if err != nil {
		return err
	}
	for {
		select {
		case d, ok := <-c.replies:
			if !ok {
				return errConnectionLost
			}
			if d.CorrelationId == id {
				t.put(c)
				return t.payload.check(d.Body, n)
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Close implements Client.
func (t *tutorialClients) Close() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	var errs []error
	for _, c := range t.all {
		errs = append(errs, c.conn.Close())
	}
	return errors.Join(errs...)
}
