package differential

import "encoding/binary"

func handshakeScenarios() group {
	plain := func(user, password string) handshake {
		return handshake{mechanism: "PLAIN", response: "\x00" + user + "\x00" + password}
	}
	amqplain := func(t Table) handshake {
		// A table without its length: RabbitMQ's AMQPLAIN.
		return handshake{mechanism: "AMQPLAIN", response: string(appendTable(nil, t)[4:])}
	}
	attempt := func(h handshake) func(*S) {
		return func(s *S) {
			c := s.Connect()
			h.run(c)
		}
	}
	withTune := func(m M) func(*S) {
		return func(s *S) {
			c := s.Connect()
			handshake{stopAfter: "start-ok"}.run(c)
			c.Expect("connection.tune")
			c.send(0, "connection.tune-ok", m)
			c.Call("connection.open", M{"virtual-host": "/"})
		}
	}
	header := func(b string) func(*S) {
		return func(s *S) {
			c := s.Connect()
			c.Raw("(another protocol header)", []byte(b))
			c.End()
		}
	}
	return group{name: "handshake", scenarios: []scenario{
		{"plain", attempt(handshake{full: true})},
		{"plain-with-authorization-identity", attempt(handshake{mechanism: "PLAIN", response: "guest\x00guest\x00guest"})},
		{"plain-wrong-password", attempt(plain("guest", "wrong"))},
		{"plain-unknown-user", attempt(plain("nobody", "guest"))},
		{"plain-empty-response", attempt(handshake{mechanism: "PLAIN"})},
		{"plain-malformed-response", attempt(handshake{mechanism: "PLAIN", response: "guest guest"})},
		{"wrong-password-without-the-capability", attempt(handshake{
			mechanism: "PLAIN", response: "\x00guest\x00wrong", capabilities: Table{}})},
		{"amqplain", attempt(amqplain(Table{"LOGIN": "guest", "PASSWORD": "guest"}))},
		{"amqplain-wrong-password", attempt(amqplain(Table{"LOGIN": "guest", "PASSWORD": "wrong"}))},
		{"amqplain-without-password", attempt(amqplain(Table{"LOGIN": "guest"}))},
		{"unknown-mechanism", attempt(handshake{mechanism: "GSSAPI", response: "x"})},
		{"unknown-vhost", attempt(handshake{vhost: "nowhere"})},
		{"protocol-header-0-10", header("AMQP\x01\x01\x00\x0a")},
		{"protocol-header-1-0", header("AMQP\x00\x01\x00\x00")},
		{"protocol-header-nonsense", header("GET / HT")},
		{"tune-frame-max-too-small", withTune(M{"channel-max": 2047, "frame-max": 4095, "heartbeat": 0})},
		{"tune-frame-max-least", withTune(M{"channel-max": 2047, "frame-max": 4096, "heartbeat": 0})},
		{"tune-frame-max-too-large", withTune(M{"channel-max": 2047, "frame-max": 131073, "heartbeat": 0})},
		{"tune-frame-max-unlimited", withTune(M{"channel-max": 2047, "frame-max": 0, "heartbeat": 0})},
		{"tune-channel-max-too-large", withTune(M{"channel-max": 2048, "frame-max": 131072, "heartbeat": 0})},
		{"tune-channel-max-unlimited", withTune(M{"channel-max": 0, "frame-max": 131072, "heartbeat": 0})},
		{"tune-heartbeat-longer", withTune(M{"channel-max": 2047, "frame-max": 131072, "heartbeat": 600})},
		{"open-before-tune-ok", func(s *S) {
			c := s.Connect()
			handshake{stopAfter: "start-ok"}.run(c)
			c.Expect("connection.tune")
			c.Call("connection.open", M{"virtual-host": "/"})
		}},
		{"channel-open-before-connection-open", func(s *S) {
			c := s.Connect()
			handshake{stopAfter: "tune-ok"}.run(c)
			c.Number(1).Call("channel.open", nil)
		}},
		{"start-ok-on-a-channel", func(s *S) {
			c := s.Connect()
			c.Raw("(protocol header)", []byte(protocolHeader))
			c.Expect("connection.start")
			c.send(1, "connection.start-ok", M{"mechanism": "PLAIN", "response": "\x00guest\x00guest", "locale": "en_US"})
			c.Closed()
		}},
		{"close-before-open", func(s *S) {
			c := s.Connect()
			handshake{stopAfter: "tune-ok"}.run(c)
			c.Call("connection.close", M{"reply-code": 200, "reply-text": "changed my mind"})
		}},
		{"heartbeats-both-ways", func(s *S) {
			c := s.DialAs(handshake{heartbeat: 1})
			c.Heartbeats(2)
			c.Raw("(heartbeat)", rawFrame(frameHeartbeat, 0, nil))
			c.Channel().Count("amq.nothing")
		}},
		{"heartbeats-missing", func(s *S) {
			c := s.DialAs(handshake{heartbeat: 1})
			s.Note("the client sends nothing")
			c.End()
		}},
	}}
}

func connectionScenarios() group {
	return group{name: "connection", scenarios: []scenario{
		{"close", func(s *S) {
			c := s.Dial()
			c.Call("connection.close", M{"reply-code": 200, "reply-text": "bye"})
		}},
		{"close-with-open-channels", func(s *S) {
			c := s.Dial()
			c.Channel()
			c.Channel()
			c.Call("connection.close", M{"reply-code": 320, "reply-text": "going", "class-id": 10, "method-id": 40})
		}},
		{"update-secret", func(s *S) {
			s.Dial().Call("connection.update-secret", M{"new-secret": "token", "reason": "it was old"})
		}},
		{"open-twice", func(s *S) {
			s.Dial().Call("connection.open", M{"virtual-host": "/"})
		}},
		{"start-ok-again", func(s *S) {
			c := s.Dial()
			c.send(0, "connection.start-ok", M{"mechanism": "PLAIN", "response": "\x00guest\x00guest", "locale": "en_US"})
			c.Closed()
		}},
		{"connection-method-on-a-channel", func(s *S) {
			c := s.Dial()
			ch := c.Channel()
			c.send(ch.id, "connection.close", M{"reply-code": 200})
			c.Closed()
		}},
		{"channel-method-on-channel-0", func(s *S) {
			c := s.Dial()
			c.send(0, "channel.open", nil)
			c.Closed()
		}},
		{"queue-method-on-channel-0", func(s *S) {
			c := s.Dial()
			c.send(0, "queue.declare", M{"queue": s.N("q")})
			c.Closed()
		}},
	}}
}

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

func channelScenarios() group {
	return group{name: "channel", scenarios: []scenario{
		{"open-and-close", func(s *S) {
			ch := s.Dial().Number(1)
			ch.Call("channel.open", nil)
			ch.Call("channel.close", M{"reply-code": 200, "reply-text": "done"})
		}},
		{"open-twice", func(s *S) {
			ch := s.Dial().Channel()
			ch.Call("channel.open", nil)
		}},
		{"number-used-again", func(s *S) {
			c := s.Dial()
			c.Channel().Call("channel.close", M{"reply-code": 200})
			again := c.Number(1)
			again.Call("channel.open", nil)
			again.Queue(s.N("q"))
		}},
		{"number-over-channel-max", func(s *S) {
			s.DialAs(handshake{channelMax: 5}).Number(6).Call("channel.open", nil)
		}},
		{"greatest-number", func(s *S) {
			s.DialAs(handshake{channelMax: 5}).Number(5).Call("channel.open", nil)
		}},
		{"flow-on", func(s *S) { s.Dial().Channel().Call("channel.flow", M{"active": true}) }},
		{"flow-off", func(s *S) { s.Dial().Channel().Call("channel.flow", M{"active": false}) }},
		{"access-request", func(s *S) {
			s.Dial().Channel().Call("access.request", M{"realm": "/data", "active": true, "read": true})
		}},
		{"exception-closes-only-its-channel", func(s *S) {
			c := s.Dial()
			one, two := c.Channel(), c.Channel()
			one.Count(s.N("missing"))
			two.Queue(s.N("q"))
		}},
		{"frames-after-an-exception-are-ignored", func(s *S) {
			c := s.Dial()
			one, two := c.Channel(), c.Channel()
			q := two.Queue(s.N("q"))
			// All in one go, so that the channel is closed while they are on their way.
			one.Publish(s.N("missing"), "k", "lost")
			one.Publish("", q, "also lost")
			one.Closed()
			two.Count(q)
		}},
		{"number-used-again-after-an-exception", func(s *S) {
			c := s.Dial()
			ch := c.Channel()
			ch.Count(s.N("missing"))
			again := c.Number(1)
			again.Call("channel.open", nil)
			again.Queue(s.N("q"))
		}},
		{"close-hands-back-what-is-unacknowledged", func(s *S) {
			c := s.Dial()
			one, two := c.Channel(), c.Channel()
			q := one.Queue(s.N("q"))
			one.Publish("", q, "a")
			one.Publish("", q, "b")
			one.Get(q)
			one.Call("channel.close", M{"reply-code": 200})
			s.Settle(q, 2)
			two.GetAll(q)
		}},
	}}
}
