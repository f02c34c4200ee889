package contender

import (
	"context"
	"slices"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

const byHandPrefetch = 128

// byHandServer runs each request on a goroutine. One further goroutine sends the replies and
// acks several requests at once.
type byHandServer struct {
	conn     *amqp.Connection
	ch       *amqp.Channel
	payload  *payload
	work     Work
	done     chan answered
	handlers sync.WaitGroup
	writer   sync.WaitGroup
}

type answered struct {
	tag   uint64
	to    string
	reply amqp.Publishing
}

func serveByHand(o Options, p *payload, work Work) (Server, error) {
	conn, err := amqp.Dial(o.URL)
	if err != nil {
		return nil, err
	}
	s := &byHandServer{conn: conn, payload: p, work: work}
	deliveries, err := s.consume(o)
	if err != nil {
		conn.Close()
		return nil, err
	}
	s.writer.Go(s.write)
	s.handlers.Go(func() {
		for d := range deliveries {
			s.handlers.Go(func() { s.handle(&d) })
		}
	})
	return s, nil
}

func (s *byHandServer) consume(o Options) (<-chan amqp.Delivery, error) {
	var err error
	if s.ch, err = s.conn.Channel(); err != nil {
		return nil, err
	}
	if err := o.declare(s.ch); err != nil {
		return nil, err
	}
	prefetch := byHandPrefetch
	if o.Concurrency > 0 {
		prefetch = o.Concurrency
	}
	s.done = make(chan answered, prefetch)
	if err := s.ch.Qos(prefetch, 0, false); err != nil {
		return nil, err
	}
	returns := s.ch.NotifyReturn(make(chan amqp.Return, 1024))
	s.writer.Go(func() {
		for range returns {
		}
	})
	return s.ch.Consume(o.Queue, "", false, false, false, false, nil)
}

func (s *byHandServer) handle(d *amqp.Delivery) {
	a := answered{tag: d.DeliveryTag}
	at, limited := d.Headers["rpc-deadline"].(int64)
	if !limited || time.Now().UnixMilli() <= at {
		s.work(context.Background())
		if body, err := s.payload.echo(d.Body); err == nil {
			a.to = d.ReplyTo
			a.reply = amqp.Publishing{ContentType: s.payload.contentType, CorrelationId: d.CorrelationId, Body: body}
		}
	}
	s.done <- a
}

// write sends replies and acks until every handler has returned.
func (s *byHandServer) write() {
	next := uint64(1)
	ahead := make(map[uint64]struct{}) // acked deliveries after a gap
	var tags []uint64
	for a := range s.done {
		tags = tags[:0]
		for more := true; more; {
			if a.to != "" {
				s.ch.Publish("", a.to, true, false, a.reply)
			}
			tags = append(tags, a.tag)
			if len(tags) == 64 {
				break
			}
			select {
			case a, more = <-s.done:
			default:
				more = false
			}
		}
		slices.Sort(tags)
		run := uint64(0)
		for _, tag := range tags {
			if tag != next {
				s.ch.Ack(tag, false)
				ahead[tag] = struct{}{}
				continue
			}
			run = tag
			next++
			for len(ahead) > 0 {
				if _, ok := ahead[next]; !ok {
					break
				}
				delete(ahead, next)
				next++
			}
		}
		if run > 0 {
			s.ch.Ack(run, true)
		}
	}
}

// Close implements Server.
func (s *byHandServer) Close() error {
	err := s.conn.Close()
	s.handlers.Wait()
	close(s.done)
	s.writer.Wait()
	return err
}
