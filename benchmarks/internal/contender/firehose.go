package contender

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// firehoseServer is a stream as it is written by hand on the driver in an afternoon: one
// channel, transient messages, and nothing that holds the publisher back.
type firehoseServer struct {
	conn    *amqp.Connection
	payload *payload
	size    int
	floods  sync.WaitGroup
}

// firehoseLast is the type of the last message.
const firehoseLast = "last"

func serveFirehose(o Options, p *payload) (_ Server, err error) {
	conn, err := amqp.Dial(o.URL)
	if err != nil {
		return nil, err
	}
	s := &firehoseServer{conn: conn, payload: p, size: o.Payload}
	defer func() {
		if err != nil {
			conn.Close()
		}
	}()
	in, err := conn.Channel()
	if err != nil {
		return nil, err
	}
	out, err := conn.Channel()
	if err != nil {
		return nil, err
	}
	if err = o.declare(in); err != nil {
		return nil, err
	}
	requests, err := in.Consume(o.Queue, "", true, false, false, false, nil)
	if err != nil {
		return nil, err
	}
	s.floods.Go(func() {
		for d := range requests {
			length, err := strconv.ParseInt(string(d.Body), 10, 64)
			if err == nil {
				s.floods.Go(func() { s.flood(out, d.ReplyTo, time.Duration(length)) })
			}
		}
	})
	return s, nil
}

// flood publishes messages for as long as d. An error is the end of the connection.
func (s *firehoseServer) flood(ch *amqp.Channel, to string, d time.Duration) {
	message := make([]byte, s.size)
	m := amqp.Publishing{ContentType: s.payload.contentType, Body: message}
	for began := time.Now(); time.Since(began) < d; {
		if s.payload.raw == nil {
			var err error
			if m.Body, err = s.payload.marshal(message); err != nil {
				return
			}
		}
		if ch.Publish("", to, false, false, m) != nil {
			return
		}
	}
	m.Type = firehoseLast
	ch.Publish("", to, false, false, m)
}

// Close implements Server.
func (s *firehoseServer) Close() error {
	err := s.conn.Close()
	s.floods.Wait()
	return err
}

// firehoseClient consumes a queue of its own without acknowledgements.
type firehoseClient struct {
	conn    *amqp.Connection
	payload *payload
	size    int
	queue   string // of the requests
}

func dialFirehose(o Options, p *payload) (Client, error) {
	conn, err := amqp.Dial(o.URL)
	if err != nil {
		return nil, err
	}
	return &firehoseClient{conn, p, o.Payload, o.Queue}, nil
}

// Take implements Streamer. It takes all that the server has published within d.
func (c *firehoseClient) Take(ctx context.Context, d time.Duration) (f Flow, err error) {
	ch, err := c.conn.Channel()
	if err != nil {
		return f, err
	}
	defer ch.Close()
	q, err := ch.QueueDeclare("", false, true, true, false, nil)
	if err != nil {
		return f, err
	}
	deliveries, err := ch.Consume(q.Name, "", true, true, false, false, nil)
	if err != nil {
		return f, err
	}
	if err = ch.Publish("", c.queue, false, false, amqp.Publishing{ReplyTo: q.Name, Body: []byte(strconv.FormatInt(int64(d), 10))}); err != nil {
		return f, err
	}
	began := time.Now()
	for {
		select {
		case m, ok := <-deliveries:
			if !ok {
				return f, errConnectionLost
			}
			if f.Items == 0 {
				began = time.Now()
			}
			item := m.Body
			if c.payload.raw == nil {
				if err := c.payload.unmarshal(m.Body, &item); err != nil {
					return f, err
				}
			}
			if len(item) != c.size {
				return f, errWrongAnswer
			}
			f.Items++
			if m.Type == firehoseLast {
				f.Took = time.Since(began)
				return f, nil
			}
		case <-ctx.Done():
			return f, ctx.Err()
		}
	}
}

// Call implements Client.
func (c *firehoseClient) Call(context.Context, int) error {
	return errors.New("the firehose makes no calls")
}

// Close implements Client.
func (c *firehoseClient) Close() error { return c.conn.Close() }
