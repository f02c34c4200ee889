package differential

import (
	"errors"
	"net"
	"strings"
	"syscall"
	"time"

	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
)

// HalfClose ends the client's side of the connection and goes on reading.
func (c *Conn) HalfClose() {
	c.log(0, ">", "(the client ends its side)")
	_ = c.nc.(*net.TCPConn).CloseWrite()
}

// Ended waits for the broker to end the connection, and writes down how: in order, or with
// a reset.
func (c *Conn) Ended() {
	if !c.await(2*patience, func() bool { return c.ended != nil }) {
		c.log(0, "<", "(the connection stays open)")
		return
	}
	c.closed = true
	how := "in order"
	if errors.Is(c.ended, syscall.ECONNRESET) {
		how = "with a reset"
	}
	c.log(0, "<", "(the broker ends the connection "+how+")")
}

// refusedLogin fails in a handshake and notes whether that took its time.
func refusedLogin(h handshake) func(*S) {
	return func(s *S) {
		c := s.Connect()
		began := time.Now()
		h.stopAfter = "start-ok"
		if h.frameMax != 0 || h.vhost != "" {
			h.stopAfter = "tune-ok"
		}
		if h.mechanism == "" {
			h.mechanism, h.response = "PLAIN", "\x00guest\x00guest"
		}
		h.run(c)
		if h.vhost != "" {
			c.send(0, "connection.open", M{"virtual-host": h.vhost})
		}
		if m := c.take(0, named("connection.close")); m != nil {
			c.log(0, "<", describeReceived(m))
			s.Note("after two seconds or more: %v", time.Since(began) > 2*time.Second)
			c.send(0, "connection.close-ok", nil)
		}
		c.Ended()
		s.Note("ended after two seconds or more: %v", time.Since(began) > 2*time.Second)
	}
}

// endingScenarios are about the last a client hears of a connection.
func endingScenarios() group {
	return group{name: "ending", options: []amqptest.Option{amqptest.WithLoginDelay(3 * time.Second)}, scenarios: []scenario{
		{"half-close", func(s *S) {
			c := s.Dial()
			c.HalfClose()
			c.Ended()
		}},
		{"half-close-with-a-channel-and-a-queue", func(s *S) {
			c := s.Dial()
			ch := c.Channel()
			ch.Call("queue.declare", M{"queue": s.N("q"), "exclusive": true})
			ch.Consume(s.N("q"), "c")
			c.HalfClose()
			c.Ended()
			s.Gone(s.N("q"))
		}},
		// Whether the broker keeps a message that came just before is a matter of luck.
		{"half-close-long-after-a-publish", func(s *S) {
			c := s.Dial()
			ch := c.Channel()
			q := ch.Queue(s.N("q"))
			ch.Publish("", q, "x")
			s.Settle(q, 1)
			c.HalfClose()
			c.Ended()
			s.Settle(q, 1)
		}},
		{"half-close-before-the-header", func(s *S) {
			c := s.Connect()
			c.HalfClose()
			c.Ended()
		}},
		{"half-close-in-the-handshake", func(s *S) {
			c := s.Connect()
			handshake{stopAfter: "start-ok"}.run(c)
			c.Expect("connection.tune")
			c.HalfClose()
			c.Ended()
		}},
		{"half-close-within-a-frame", func(s *S) {
			c := s.Dial()
			c.Raw("(half a frame)", []byte{1, 0, 1, 0})
			c.HalfClose()
			c.Ended()
		}},
		{"half-close-within-a-message", func(s *S) {
			c := s.Dial()
			ch := c.Channel()
			c.Raw("(a publish without content)", rawFrame(frameMethod, ch.id, encodeMethod(amqp091.byName["basic.publish"], M{"routing-key": "x"})))
			c.HalfClose()
			c.Ended()
		}},
		{"closed-by-the-client", func(s *S) {
			c := s.Dial()
			c.Call("connection.close", M{"reply-code": 200})
			c.Ended()
		}},
		{"closed-by-the-client-that-half-closes", func(s *S) {
			c := s.Dial()
			c.send(0, "connection.close", M{"reply-code": 200})
			c.HalfClose()
			c.Expect("connection.close-ok")
			c.Ended()
		}},
		{"closed-by-the-broker", func(s *S) {
			c := s.Dial()
			c.send(0, "queue.declare", M{"queue": s.N("q")})
			m := c.take(0, named("connection.close"))
			c.log(0, "<", describeReceived(m))
			c.send(0, "connection.close-ok", nil)
			c.Ended()
		}},
		{"login-refused", refusedLogin(handshake{mechanism: "PLAIN", response: "\x00guest\x00wrong"})},
		{"login-refused-without-a-word", refusedLogin(handshake{mechanism: "PLAIN", response: "\x00guest\x00wrong", capabilities: Table{}})},
		{"unknown-user", refusedLogin(handshake{mechanism: "PLAIN", response: "\x00nobody\x00wrong"})},
		{"unknown-mechanism", refusedLogin(handshake{mechanism: "GSSAPI", response: "x"})},
		{"malformed-response", refusedLogin(handshake{mechanism: "PLAIN", response: "guest guest"})},
		{"unknown-vhost", refusedLogin(handshake{vhost: "nowhere"})},
		{"frame-max-refused", refusedLogin(handshake{frameMax: 1 << 20})},
		{"another-protocol", func(s *S) {
			c := s.Connect()
			c.Raw("(another protocol header)", []byte("GET / HT"))
			c.Ended()
		}},
	}}
}

// sizeScenarios are about messages over the limit, which the group sets to a thousand octets.
func sizeScenarios() group {
	const limit = 1000
	return group{name: "size", alone: true, setUp: limitMessages(limit), tearDown: limitMessages(0), options: sizeOptions(limit),
		scenarios: []scenario{
			{"just-within", func(s *S) {
				ch := s.Dial().Channel()
				q := ch.Queue(s.N("q"))
				ch.Publish("", q, strings.Repeat("x", limit))
				ch.Get(q)
			}},
			{"one-too-many", func(s *S) {
				ch := s.Dial().Channel()
				ch.Publish("", s.N("q"), strings.Repeat("x", limit+1))
				ch.Closed()
			}},
			{"confirmed", func(s *S) {
				ch := s.Dial().Channel()
				ch.Confirm()
				ch.Publish("", s.N("q"), strings.Repeat("x", limit+1))
				ch.Next(1)
			}},
			{"in-a-transaction", func(s *S) {
				ch := s.Dial().Channel()
				ch.Call("tx.select", nil)
				ch.Publish("", s.N("q"), strings.Repeat("x", limit+1))
				ch.Closed()
			}},
			{"properties-do-not-count", func(s *S) {
				ch := s.Dial().Channel()
				q := ch.Queue(s.N("q"))
				ch.Publish("", q, strings.Repeat("x", limit), M{"headers": Table{"k": strings.Repeat("v", 500)}})
				ch.Get(q)
			}},
			{"to-an-exchange-that-is-missing", func(s *S) {
				ch := s.Dial().Channel()
				ch.Publish(s.N("missing"), "k", strings.Repeat("x", limit+1))
				ch.Closed()
			}},
			{"immediate", func(s *S) {
				ch := s.Dial().Channel()
				ch.PublishWith(M{"routing-key": s.N("q"), "immediate": true}, strings.Repeat("x", limit+1))
				ch.Closed()
			}},
		}}
}
