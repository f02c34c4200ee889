package differential

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
