package differential

import (
	"strings"
	"time"
)

func publishScenarios() group {
	// roundTrip publishes with properties and fetches the message.
	roundTrip := func(props M) func(*S) {
		return func(s *S) {
			ch := s.Dial().Channel()
			q := ch.Queue(s.N("q"))
			ch.Publish("", q, "body", props)
			ch.Get(q)
		}
	}
	// refused publishes what closes the channel, and looks whether the queue got it.
	refused := func(args, props M) func(*S) {
		return func(s *S) {
			c := s.Dial()
			ch := c.Channel()
			q := ch.Queue(s.N("q"))
			ch.PublishWith(with(args, M{"routing-key": q}), "body", props)
			ch.Closed()
			c.Channel().Count(q)
		}
	}
	return group{name: "publish", scenarios: []scenario{
		{"no-properties", roundTrip(nil)},
		{"all-properties", roundTrip(M{
			"content-type": "text/plain", "content-encoding": "utf-8", "headers": Table{"k": "v"}, "delivery-mode": 2, "priority": 9,
			"correlation-id": "c-1", "reply-to": "somewhere", "expiration": "60000", "message-id": "m-1",
			"timestamp": time.Date(2020, 1, 2, 3, 4, 5, 0, time.UTC), "type": "t", "user-id": "guest", "app-id": "app", "cluster-id": "cl",
		})},
		{"empty-properties", roundTrip(M{"content-type": "", "correlation-id": "", "headers": Table{}, "priority": 0})},
		{"longest-strings", roundTrip(M{"correlation-id": strings.Repeat("c", 255), "headers": Table{strings.Repeat("k", 255): strings.Repeat("v", 5000)}})},
		{"delivery-mode-1", roundTrip(M{"delivery-mode": 1})},
		{"delivery-mode-0", roundTrip(M{"delivery-mode": 0})},
		{"delivery-mode-7", roundTrip(M{"delivery-mode": 7})},
		{"priority-255", roundTrip(M{"priority": 255})},
		{"header-types", roundTrip(M{"headers": Table{
			"void": nil, "true": true, "false": false, "int8": int8(-8), "uint8": uint8(8), "int16": int16(-16), "uint16": uint16(16),
			"int32": int32(-32), "uint32": uint32(32), "int64": int64(-64), "float32": float32(1.5), "float64": 2.25,
			"decimal": Decimal{2, 314}, "string": "text", "bytes": []byte{0, 1, 255},
			"time": time.Date(2020, 1, 2, 3, 4, 5, 0, time.UTC), "table": Table{"inner": Table{"n": 1}},
			"array": []any{1, "two", nil, []any{}, Table{}}, "empty": "",
		}})},
		{"body-of-a-megabyte", func(s *S) {
			ch := s.Dial().Channel()
			q := ch.Queue(s.N("q"))
			ch.Publish("", q, strings.Repeat("0123456789", 100_000))
			ch.Get(q)
		}},
		{"empty-body", func(s *S) {
			ch := s.Dial().Channel()
			q := ch.Queue(s.N("q"))
			ch.Publish("", q, "")
			ch.Get(q)
		}},
		{"immediate", refused(M{"immediate": true}, nil)},
		{"user-id-of-another", refused(nil, M{"user-id": "somebody"})},
		{"expiration-negative", refused(nil, M{"expiration": "-1"})},
		{"expiration-fraction", refused(nil, M{"expiration": "1.5"})},
		{"expiration-text", refused(nil, M{"expiration": "soon"})},
		{"expiration-empty", refused(nil, M{"expiration": ""})},
		{"expiration-with-a-space", refused(nil, M{"expiration": "10 "})},
		{"expiration-too-large", refused(nil, M{"expiration": "315360000001"})},
		{"expiration-greatest", roundTrip(M{"expiration": "315360000000"})},
		{"expiration-with-leading-zeros", roundTrip(M{"expiration": "0060000"})},
		{"mandatory-unroutable", func(s *S) {
			ch := s.Dial().Channel()
			ch.PublishWith(M{"routing-key": s.N("nobody"), "mandatory": true}, "back", M{"headers": Table{"a": 1}, "correlation-id": "7"})
			ch.Expect("basic.return")
		}},
		{"mandatory-unroutable-through-an-exchange", func(s *S) {
			ch := s.Dial().Channel()
			ch.Exchange(s.N("x"), "topic")
			ch.PublishWith(M{"exchange": s.N("x"), "routing-key": "a.b", "mandatory": true}, "back")
			ch.Expect("basic.return")
		}},
		{"mandatory-return-before-confirm", func(s *S) {
			ch := s.Dial().Channel()
			ch.Confirm()
			for range 3 {
				ch.PublishWith(M{"routing-key": s.N("nobody"), "mandatory": true}, "back")
				ch.Next(2)
			}
		}},
		{"mandatory-without-a-consumer", func(s *S) {
			ch := s.Dial().Channel()
			ch.Confirm()
			q := ch.Queue(s.N("q"))
			ch.PublishWith(M{"routing-key": q, "mandatory": true}, "kept")
			ch.Next(1)
			ch.Count(q)
		}},
		{"unroutable", func(s *S) {
			ch := s.Dial().Channel()
			ch.Publish("", s.N("nobody"), "lost")
			ch.Quiet()
		}},
		{"missing-exchange-with-confirms", func(s *S) {
			ch := s.Dial().Channel()
			ch.Confirm()
			ch.Publish(s.N("missing"), "k", "x")
			ch.Next(1)
		}},
		{"exchange-by-its-reserved-name", func(s *S) {
			ch := s.Dial().Channel()
			q := ch.Queue(s.N("q"))
			ch.Bind(q, "amq.topic", s.N("k.*"))
			ch.Publish("amq.topic", s.N("k.1"), "x")
			ch.GetAll(q)
		}},
		{"client-supplied-x-death", roundTrip(M{"headers": Table{"x-death": []any{Table{"count": 9, "queue": "q", "reason": "rejected"}}, "x-delivery-count": 4}})},
	}}
}

func getScenarios() group {
	return group{name: "get", scenarios: []scenario{
		{"empty", func(s *S) {
			ch := s.Dial().Channel()
			ch.Get(ch.Queue(s.N("q")))
		}},
		{"missing-queue", func(s *S) { s.Dial().Channel().Get(s.N("q")) }},
		{"counts-what-is-left", func(s *S) {
			ch := s.Dial().Channel()
			q := ch.Queue(s.N("q"))
			for _, body := range []string{"a", "b", "c"} {
				ch.Publish("", q, body)
			}
			ch.Get(q)
			ch.Call("basic.get", M{"queue": q, "no-ack": true})
			ch.Get(q)
			ch.Get(q)
		}},
		{"no-ack-needs-none", func(s *S) {
			ch := s.Dial().Channel()
			q := ch.Queue(s.N("q"))
			ch.Publish("", q, "a")
			m := ch.Call("basic.get", M{"queue": q, "no-ack": true})
			ch.Ack(m)
			ch.Closed()
		}},
		{"ignores-the-prefetch-count", func(s *S) {
			ch := s.Dial().Channel()
			q := ch.Queue(s.N("q"))
			ch.Qos(1)
			for _, body := range []string{"a", "b"} {
				ch.Publish("", q, body)
				ch.Get(q)
			}
		}},
		{"shares-its-tags-with-deliveries", func(s *S) {
			ch := s.Dial().Channel()
			a, b := ch.Queue(s.N("a")), ch.Queue(s.N("b"))
			ch.Publish("", a, "1")
			ch.Publish("", b, "2")
			ch.Get(a)
			ch.Consume(b, "c")
			m := ch.Deliver(1)[0]
			ch.Send("basic.ack", M{"delivery-tag": tagOf(m), "multiple": true})
			ch.Count(a)
			ch.Count(b)
		}},
		{"redelivered-after-requeue", func(s *S) {
			ch := s.Dial().Channel()
			q := ch.Queue(s.N("q"))
			ch.Publish("", q, "a")
			ch.Reject(ch.Get(q), true)
			ch.Get(q)
		}},
	}}
}

func consumeScenarios() group {
	fill := func(ch *Chan, q string, bodies ...string) {
		for _, body := range bodies {
			ch.Publish("", q, body)
		}
	}
	return group{name: "consume", scenarios: []scenario{
		{"deliver-in-order", func(s *S) {
			ch := s.Dial().Channel()
			q := ch.Queue(s.N("q"))
			fill(ch, q, "a", "b", "c")
			ch.Consume(q, "c")
			ch.Deliver(3)
			ch.Quiet()
		}},
		{"broker-named-tag", func(s *S) {
			ch := s.Dial().Channel()
			q := ch.Queue(s.N("q"))
			ch.Consume(q, "")
			ch.Consume(q, "")
			fill(ch, q, "a")
			ch.Deliver(1)
		}},
		{"consume-ok-before-deliveries", func(s *S) {
			ch := s.Dial().Channel()
			q := ch.Queue(s.N("q"))
			fill(ch, q, "a")
			ch.Send("basic.consume", M{"queue": q, "consumer-tag": "c"})
			ch.Next(2)
		}},
		{"nowait", func(s *S) {
			ch := s.Dial().Channel()
			q := ch.Queue(s.N("q"))
			fill(ch, q, "a")
			ch.Send("basic.consume", M{"queue": q, "consumer-tag": "c", "nowait": true})
			ch.Deliver(1)
		}},
		{"missing-queue", func(s *S) { s.Dial().Channel().Consume(s.N("q"), "c") }},
		{"tag-in-use", func(s *S) {
			ch := s.Dial().Channel()
			q := ch.Queue(s.N("q"))
			ch.Consume(q, "c")
			ch.Consume(q, "c")
		}},
		{"tag-in-use-on-another-channel", func(s *S) {
			c := s.Dial()
			one, two := c.Channel(), c.Channel()
			q := one.Queue(s.N("q"))
			one.Consume(q, "c")
			two.Consume(q, "c")
		}},
		{"no-ack", func(s *S) {
			ch := s.Dial().Channel()
			q := ch.Queue(s.N("q"))
			fill(ch, q, "a")
			ch.Consume(q, "c", M{"no-ack": true})
			m := ch.Deliver(1)[0]
			ch.Count(q)
			ch.Ack(m)
			ch.Closed()
		}},
		{"no-local-is-ignored", func(s *S) {
			ch := s.Dial().Channel()
			q := ch.Queue(s.N("q"))
			ch.Consume(q, "c", M{"no-local": true})
			fill(ch, q, "a")
			ch.Deliver(1)
		}},
		{"exclusive-refuses-others", func(s *S) {
			c := s.Dial()
			ch := c.Channel()
			q := ch.Queue(s.N("q"))
			ch.Consume(q, "c", M{"exclusive": true})
			c.Channel().Consume(q, "d")
		}},
		{"exclusive-refused-by-others", func(s *S) {
			c := s.Dial()
			ch := c.Channel()
			q := ch.Queue(s.N("q"))
			ch.Consume(q, "c")
			c.Channel().Consume(q, "d", M{"exclusive": true})
		}},
		{"exclusive-ends-with-its-consumer", func(s *S) {
			ch := s.Dial().Channel()
			q := ch.Queue(s.N("q"))
			ch.Consume(q, "c", M{"exclusive": true})
			ch.Call("basic.cancel", M{"consumer-tag": "c"})
			ch.Consume(q, "d")
		}},
		{"exclusive-leaves-get-alone", func(s *S) {
			ch := s.Dial().Channel()
			q := ch.Queue(s.N("q"))
			ch.Qos(1)
			ch.Consume(q, "c", M{"exclusive": true})
			fill(ch, q, "a", "b")
			ch.Deliver(1)
			ch.Get(q)
		}},
		{"cancel", func(s *S) {
			ch := s.Dial().Channel()
			q := ch.Queue(s.N("q"))
			ch.Consume(q, "c")
			ch.Call("basic.cancel", M{"consumer-tag": "c"})
			fill(ch, q, "a")
			ch.Count(q)
			ch.Quiet()
		}},
		{"cancel-keeps-what-was-delivered", func(s *S) {
			ch := s.Dial().Channel()
			q := ch.Queue(s.N("q"))
			fill(ch, q, "a", "b")
			ch.Consume(q, "c")
			d := ch.Deliver(2)
			ch.Call("basic.cancel", M{"consumer-tag": "c"})
			ch.Count(q)
			ch.Ack(d[0])
			ch.Reject(d[1], true)
			ch.GetAll(q)
		}},
		{"cancel-unknown", func(s *S) { s.Dial().Channel().Call("basic.cancel", M{"consumer-tag": "none"}) }},
		{"cancel-nowait", func(s *S) {
			ch := s.Dial().Channel()
			q := ch.Queue(s.N("q"))
			ch.Consume(q, "c")
			ch.Send("basic.cancel", M{"consumer-tag": "c", "nowait": true})
			ch.Count(q)
		}},
		{"cancelled-by-the-broker", func(s *S) {
			c := s.Dial()
			one, two := c.Channel(), c.Channel()
			q := one.Queue(s.N("q"))
			one.Consume(q, "c")
			two.Call("queue.delete", M{"queue": q})
			one.Expect("basic.cancel")
			one.Queue(s.N("q"))
		}},
		{"cancelled-by-the-broker-without-the-capability", func(s *S) {
			c := s.DialAs(handshake{capabilities: Table{}})
			one, two := c.Channel(), c.Channel()
			q := one.Queue(s.N("q"))
			one.Consume(q, "c")
			two.Call("queue.delete", M{"queue": q})
			one.Quiet()
		}},
		{"cancelled-tag-may-be-used-again", func(s *S) {
			c := s.Dial()
			one, two := c.Channel(), c.Channel()
			q := one.Queue(s.N("q"))
			one.Consume(q, "c")
			two.Call("queue.delete", M{"queue": q})
			one.Expect("basic.cancel")
			one.Queue(q)
			one.Consume(q, "c")
			fill(two, q, "a")
			one.Deliver(1)
		}},
		{"deleting-a-queue-forgets-its-unacknowledged", func(s *S) {
			ch := s.Dial().Channel()
			q := ch.Queue(s.N("q"))
			fill(ch, q, "a")
			m := ch.Get(q)
			ch.Call("queue.delete", M{"queue": q})
			ch.Ack(m)
			ch.Queue(q)
		}},
		{"round-robin", func(s *S) {
			c := s.Dial()
			pub := c.Channel()
			q := pub.Queue(s.N("q"))
			one, two, three := c.Channel(), c.Channel(), c.Channel()
			one.Consume(q, "1", M{"no-ack": true})
			two.Consume(q, "2", M{"no-ack": true})
			three.Consume(q, "3", M{"no-ack": true})
			fill(pub, q, "a", "b", "c", "d", "e", "f")
			one.Deliver(2)
			two.Deliver(2)
			three.Deliver(2)
		}},
		{"round-robin-on-one-channel", func(s *S) {
			ch := s.Dial().Channel()
			q := ch.Queue(s.N("q"))
			ch.Consume(q, "1", M{"no-ack": true})
			ch.Consume(q, "2", M{"no-ack": true})
			fill(ch, q, "a", "b", "c", "d")
			ch.Deliver(4)
		}},
		{"priorities", func(s *S) {
			ch := s.Dial().Channel()
			q := ch.Queue(s.N("q"))
			ch.Qos(1)
			ch.Consume(q, "low", M{"arguments": Table{"x-priority": -1}})
			ch.Consume(q, "high", M{"arguments": Table{"x-priority": 10}})
			ch.Consume(q, "middle")
			fill(ch, q, "a", "b", "c", "d")
			ch.Deliver(3)
			ch.Quiet()
		}},
		{"priority-of-wrong-type", func(s *S) {
			ch := s.Dial().Channel()
			ch.Consume(ch.Queue(s.N("q")), "c", M{"arguments": Table{"x-priority": "high"}})
		}},
		{"higher-priority-takes-over", func(s *S) {
			ch := s.Dial().Channel()
			q := ch.Queue(s.N("q"))
			ch.Consume(q, "low", M{"no-ack": true})
			fill(ch, q, "a")
			ch.Deliver(1)
			ch.Consume(q, "high", M{"no-ack": true, "arguments": Table{"x-priority": 1}})
			fill(ch, q, "b", "c")
			ch.Deliver(2)
			ch.Call("basic.cancel", M{"consumer-tag": "high"})
			fill(ch, q, "d")
			ch.Deliver(1)
		}},
		{"queue-without-consumers-keeps-order", func(s *S) {
			c := s.Dial()
			one, two := c.Channel(), c.Channel()
			q := one.Queue(s.N("q"))
			fill(one, q, "a", "b", "c", "d")
			one.Qos(2)
			one.Consume(q, "c")
			one.Deliver(2)
			one.Call("channel.close", M{"reply-code": 200})
			s.Settle(q, 4)
			two.GetAll(q)
		}},
		{"consumer-on-a-dropped-connection", func(s *S) {
			dead := s.Dial()
			ch := s.Dial().Channel()
			q := ch.Queue(s.N("q"))
			fill(ch, q, "a", "b")
			doomed := dead.Channel()
			doomed.Consume(q, "c")
			doomed.Deliver(2)
			dead.Abort()
			s.Settle(q, 2)
			ch.GetAll(q)
		}},
		{"consume-its-own-publishes", func(s *S) {
			ch := s.Dial().Channel()
			q := ch.Queue(s.N("q"))
			ch.Consume(q, "c")
			fill(ch, q, "a")
			ch.Ack(ch.Deliver(1)[0])
			fill(ch, q, "b")
			ch.Ack(ch.Deliver(1)[0])
			ch.Count(q)
		}},
	}}
}

func qosScenarios() group {
	fill := func(ch *Chan, q string, n int) {
		for i := range n {
			ch.Publish("", q, string(rune('a'+i)))
		}
	}
	return group{name: "qos", scenarios: []scenario{
		{"prefetch-1", func(s *S) {
			ch := s.Dial().Channel()
			q := ch.Queue(s.N("q"))
			fill(ch, q, 3)
			ch.Qos(1)
			ch.Consume(q, "c")
			for range 3 {
				m := ch.Deliver(1)[0]
				ch.Quiet()
				ch.Ack(m)
			}
		}},
		{"prefetch-is-each-consumer's", func(s *S) {
			ch := s.Dial().Channel()
			a, b := ch.Queue(s.N("a")), ch.Queue(s.N("b"))
			fill(ch, a, 2)
			fill(ch, b, 2)
			ch.Qos(1)
			ch.Consume(a, "a")
			ch.Deliver(1)
			ch.Consume(b, "b")
			ch.Deliver(1)
			ch.Quiet()
		}},
		{"change-is-for-new-consumers", func(s *S) {
			ch := s.Dial().Channel()
			q := ch.Queue(s.N("q"))
			fill(ch, q, 4)
			ch.Qos(1)
			ch.Consume(q, "old")
			ch.Deliver(1)
			ch.Qos(2)
			ch.Quiet()
			ch.Consume(q, "new")
			ch.Deliver(2)
			ch.Quiet()
		}},
		{"global-is-the-channel's", func(s *S) {
			ch := s.Dial().Channel()
			a, b := ch.Queue(s.N("a")), ch.Queue(s.N("b"))
			fill(ch, a, 2)
			fill(ch, b, 2)
			ch.Call("basic.qos", M{"prefetch-count": 3, "global": true})
			ch.Consume(a, "a")
			d := ch.Deliver(2)
			ch.Consume(b, "b")
			ch.Deliver(1)
			ch.Quiet()
			ch.Ack(d[0])
			ch.Deliver(1)
		}},
		{"global-change-acts-at-once", func(s *S) {
			ch := s.Dial().Channel()
			q := ch.Queue(s.N("q"))
			fill(ch, q, 3)
			ch.Call("basic.qos", M{"prefetch-count": 1, "global": true})
			ch.Consume(q, "c")
			ch.Deliver(1)
			ch.Quiet()
			ch.Call("basic.qos", M{"prefetch-count": 2, "global": true})
			ch.Deliver(1)
			ch.Quiet()
			ch.Call("basic.qos", M{"global": true})
			ch.Deliver(1)
		}},
		{"both-limits", func(s *S) {
			ch := s.Dial().Channel()
			q := ch.Queue(s.N("q"))
			fill(ch, q, 6)
			ch.Call("basic.qos", M{"prefetch-count": 3, "global": true})
			ch.Qos(2)
			ch.Consume(q, "1")
			ch.Deliver(2)
			ch.Consume(q, "2")
			ch.Deliver(1)
			ch.Quiet()
		}},
		{"zero-is-no-limit", func(s *S) {
			ch := s.Dial().Channel()
			q := ch.Queue(s.N("q"))
			fill(ch, q, 5)
			ch.Qos(0)
			ch.Consume(q, "c")
			ch.Deliver(5)
		}},
		{"prefetch-size", func(s *S) { s.Dial().Channel().Call("basic.qos", M{"prefetch-size": 1024}) }},
		{"no-ack-is-not-limited", func(s *S) {
			ch := s.Dial().Channel()
			q := ch.Queue(s.N("q"))
			fill(ch, q, 3)
			ch.Qos(1)
			ch.Consume(q, "c", M{"no-ack": true})
			ch.Deliver(3)
		}},
		{"requeue-frees-a-place", func(s *S) {
			ch := s.Dial().Channel()
			q := ch.Queue(s.N("q"))
			fill(ch, q, 2)
			ch.Qos(1)
			ch.Consume(q, "c")
			ch.Reject(ch.Deliver(1)[0], true)
			ch.Reject(ch.Deliver(1)[0], false)
			ch.Deliver(1)
		}},
		{"round-robin-passes-over-the-full", func(s *S) {
			ch := s.Dial().Channel()
			q := ch.Queue(s.N("q"))
			ch.Qos(1)
			ch.Consume(q, "one")
			ch.Qos(3)
			ch.Consume(q, "three")
			fill(ch, q, 6)
			d := ch.Deliver(4)
			ch.Quiet()
			ch.Ack(d[0])
			ch.Deliver(1)
			ch.Quiet()
		}},
		{"cancelled-consumer's-messages-still-count", func(s *S) {
			ch := s.Dial().Channel()
			q := ch.Queue(s.N("q"))
			fill(ch, q, 3)
			ch.Call("basic.qos", M{"prefetch-count": 1, "global": true})
			ch.Consume(q, "c")
			m := ch.Deliver(1)[0]
			ch.Call("basic.cancel", M{"consumer-tag": "c"})
			ch.Consume(q, "d")
			ch.Quiet()
			ch.Ack(m)
			ch.Deliver(1)
		}},
	}}
}
