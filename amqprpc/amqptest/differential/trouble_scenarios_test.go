package differential

import (
	"context"
	"fmt"
	"time"

	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/testing/rabbitmq"
)

func alarmScenarios() group {
	return group{name: "alarm", alone: true, scenarios: []scenario{
		{"blocked-at-the-first-publish", func(s *S) {
			s.Block(true)
			defer s.Block(false)
			c := s.Dial()
			ch := c.Channel()
			q := ch.Queue(s.N("q"))
			ch.Publish("", q, "stuck")
			c.Expect("connection.blocked")
			s.Block(false)
			c.Expect("connection.unblocked")
			ch.Get(q)
		}},
		{"consumers-go-on", func(s *S) {
			pub, con := s.Dial().Channel(), s.Dial().Channel()
			q := pub.Queue(s.N("q"))
			pub.Publish("", q, "before")
			pub.Count(q)
			s.Block(true)
			defer s.Block(false)
			con.Consume(q, "c")
			con.Ack(con.Deliver(1)[0])
			con.Count(q)
		}},
		{"earlier-publisher-is-blocked-by-its-next-publish", func(s *S) {
			c := s.Dial()
			ch := c.Channel()
			q := ch.Queue(s.N("q"))
			ch.Publish("", q, "before")
			ch.Count(q)
			s.Block(true)
			defer s.Block(false)
			ch.Count(q)
			ch.Publish("", q, "stuck")
			c.Expect("connection.blocked")
			ch.Send("basic.qos", M{"prefetch-count": 1})
			ch.Quiet()
			s.Block(false)
			c.Expect("connection.unblocked")
			ch.Expect("basic.qos-ok")
			ch.Count(q)
		}},
		{"without-the-capability", func(s *S) {
			c := s.DialAs(handshake{capabilities: Table{}})
			ch := c.Channel()
			q := ch.Queue(s.N("q"))
			s.Block(true)
			defer s.Block(false)
			ch.Publish("", q, "stuck")
			ch.Send("basic.qos", M{"prefetch-count": 1})
			ch.Quiet()
			s.Block(false)
			ch.Expect("basic.qos-ok")
			ch.Count(q)
		}},
	}}
}

// consumerTimeout stands in for the half hour that is the default.
const consumerTimeout = 700 * time.Millisecond

// setConsumerTimeout says how long channels opened from now on wait for an
// acknowledgement, and how often they look.
func setConsumerTimeout(timeout, interval time.Duration) func(context.Context, *rabbitmq.Node) error {
	return func(ctx context.Context, n *rabbitmq.Node) error {
		_, err := n.Ctl(ctx, "eval", fmt.Sprintf(
			"application:set_env(rabbit, consumer_timeout, %d), application:set_env(rabbit, channel_tick_interval, %d).",
			timeout.Milliseconds(), interval.Milliseconds()))
		return err
	}
}

func timeoutScenarios() group {
	return group{
		name: "consumer-timeout", alone: true, together: true,
		// In 4.3 the timeout is the queue's, not the channel's.
		releases: []string{"3.10", "4.0"},
		setUp:    setConsumerTimeout(consumerTimeout, consumerTimeout/7),
		tearDown: setConsumerTimeout(30*time.Minute, time.Minute),
		options:  []amqptest.Option{amqptest.WithConsumerTimeout(consumerTimeout)},
		scenarios: []scenario{
			{"unacknowledged-too-long", func(s *S) {
				c := s.Dial()
				ch, other := c.Channel(), c.Channel()
				q := ch.Queue(s.N("q"))
				ch.Publish("", q, "a")
				ch.Consume(q, "c")
				ch.Deliver(1)
				ch.Closed()
				other.Count(q)
			}},
			{"acknowledged-in-time", func(s *S) {
				c := s.Dial()
				ch, other := c.Channel(), c.Channel()
				q := ch.Queue(s.N("q"))
				ch.Publish("", q, "a")
				ch.Publish("", q, "b")
				ch.Consume(q, "c")
				for _, m := range ch.Deliver(2) {
					ch.Ack(m)
				}
				s.Wait(consumerTimeout + consumerTimeout/2)
				ch.Count(q)
				other.Count(q)
			}},
			{"fetched-and-unacknowledged", func(s *S) {
				ch := s.Dial().Channel()
				q := ch.Queue(s.N("q"))
				ch.Publish("", q, "a")
				ch.Get(q)
				ch.Closed()
			}},
			{"no-acknowledgement-no-timeout", func(s *S) {
				ch := s.Dial().Channel()
				q := ch.Queue(s.N("q"))
				ch.Consume(q, "c", M{"no-ack": true})
				ch.Publish("", q, "a")
				ch.Deliver(1)
				s.Wait(consumerTimeout + consumerTimeout/2)
				ch.Count(q)
			}},
		},
	}
}
