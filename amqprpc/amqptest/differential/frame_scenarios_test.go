package differential

import "encoding/binary"

func frameScenarios() group {
	method := func(class, id uint16, rest ...byte) []byte {
		b := binary.BigEndian.AppendUint16(nil, class)
		return append(binary.BigEndian.AppendUint16(b, id), rest...)
	}
	publish := rawFrame(frameMethod, 1, encodeMethod(amqp091.byName["basic.publish"], M{"routing-key": "nowhere"}))
	onChannel := func(what string, b ...[]byte) func(*S) {
		return func(s *S) {
			c := s.Dial()
			c.Channel()
			var all []byte
			for _, part := range b {
				all = append(all, part...)
			}
			c.Raw("("+what+")", all)
			c.Closed()
		}
	}
	return group{name: "frames", scenarios: []scenario{
		{"unknown-type", onChannel("frame of type 4", rawFrame(4, 1, []byte("x")))},
		{"wrong-end", onChannel("frame that ends with 0", append(rawFrame(frameMethod, 1, method(20, 10, 0))[:12], 0))},
		{"too-large", onChannel("body frame of 131,073 octets", publish, rawFrame(frameHeader, 1, encodeHeader(200000, nil)),
			rawFrame(frameBody, 1, make([]byte, 131073)))},
		{"unknown-class", onChannel("method 77.10", rawFrame(frameMethod, 1, method(77, 10)))},
		{"unknown-method", onChannel("method 50.99", rawFrame(frameMethod, 1, method(50, 99)))},
		{"method-of-the-broker", onChannel("basic.deliver from the client", rawFrame(frameMethod, 1,
			encodeMethod(amqp091.byName["basic.get-empty"], nil)))},
		{"truncated-arguments", onChannel("queue.declare without its arguments", rawFrame(frameMethod, 1, method(50, 10, 0, 0)))},
		{"empty-method", onChannel("method frame without a payload", rawFrame(frameMethod, 1, nil))},
		{"header-without-publish", onChannel("content header", rawFrame(frameHeader, 1, encodeHeader(1, nil)))},
		{"body-without-header", onChannel("content body", publish, rawFrame(frameBody, 1, []byte("x")))},
		{"body-without-publish", onChannel("content body", rawFrame(frameBody, 1, []byte("x")))},
		{"method-within-content", onChannel("publish, then queue.declare", publish,
			rawFrame(frameMethod, 1, encodeMethod(amqp091.byName["queue.declare"], nil)))},
		{"method-within-body", onChannel("publish, header, then queue.declare", publish, rawFrame(frameHeader, 1, encodeHeader(5, nil)),
			rawFrame(frameMethod, 1, encodeMethod(amqp091.byName["queue.declare"], nil)))},
		{"header-of-another-class", onChannel("publish, then a header of class 50", publish,
			rawFrame(frameHeader, 1, append([]byte{0, 50}, encodeHeader(0, nil)[2:]...)))},
		{"body-longer-than-announced", onChannel("three octets where one was announced, then queue.declare", publish,
			rawFrame(frameHeader, 1, encodeHeader(1, nil)), rawFrame(frameBody, 1, []byte("abc")),
			rawFrame(frameMethod, 1, encodeMethod(amqp091.byName["queue.declare"], nil)))},
		{"header-truncated", onChannel("content header of 12 octets", publish, rawFrame(frameHeader, 1, encodeHeader(0, nil)[:12]))},
		{"header-with-bad-properties", onChannel("flags without properties", publish,
			rawFrame(frameHeader, 1, append(encodeHeader(0, nil)[:12], 0xF0, 0)))},
		{"channel-not-open", func(s *S) {
			c := s.Dial()
			c.Number(7)
			c.send(7, "queue.declare", M{"queue": s.N("q")})
			c.Closed()
		}},
		{"heartbeat-on-a-channel", func(s *S) {
			c := s.Dial()
			ch := c.Channel()
			c.Raw("(heartbeat on channel 1)", rawFrame(frameHeartbeat, 1, nil))
			ch.Queue(s.N("q"))
		}},
		{"heartbeat-on-no-channel", func(s *S) {
			c := s.Dial()
			ch := c.Channel()
			c.Raw("(heartbeat on channel 9)", rawFrame(frameHeartbeat, 9, nil))
			ch.Queue(s.N("q"))
		}},
		{"heartbeat-with-a-payload", func(s *S) {
			c := s.Dial()
			ch := c.Channel()
			c.Raw("(heartbeat of one octet)", rawFrame(frameHeartbeat, 0, []byte("x")))
			ch.Queue(s.N("q"))
		}},
		{"body-in-many-frames", func(s *S) {
			c := s.DialAs(handshake{frameMax: 8192})
			ch := c.Channel()
			q := ch.Queue(s.N("q"))
			ch.Publish("", q, string(make([]byte, 20000)))
			ch.Get(q)
		}},
		{"body-of-exactly-one-frame", func(s *S) {
			c := s.DialAs(handshake{frameMax: 8192})
			ch := c.Channel()
			q := ch.Queue(s.N("q"))
			ch.Publish("", q, string(make([]byte, 8184)))
			ch.Get(q)
			ch.Publish("", q, string(make([]byte, 8185)))
			ch.Get(q)
		}},
		{"empty-body-frames", func(s *S) {
			c := s.Dial()
			ch := c.Channel()
			q := ch.Queue(s.N("q"))
			b := rawFrame(frameMethod, 1, encodeMethod(amqp091.byName["basic.publish"], M{"routing-key": q}))
			b = append(b, rawFrame(frameHeader, 1, encodeHeader(2, nil))...)
			b = append(b, rawFrame(frameBody, 1, []byte("a"))...)
			b = append(b, rawFrame(frameBody, 1, nil)...)
			c.Raw("(publish whose second body frame is empty)", append(b, rawFrame(frameBody, 1, []byte("b"))...))
			ch.Get(q)
		}},
	}}
}
