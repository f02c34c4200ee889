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
