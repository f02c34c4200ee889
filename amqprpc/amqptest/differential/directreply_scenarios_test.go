package differential

// pseudoQueue is the name that stands for the channel's own replies:
// https://www.rabbitmq.com/docs/direct-reply-to.
const pseudoQueue = "amq.rabbitmq.reply-to"

func directReplyScenarios() group {
	// asked has a client consume its replies and send one request, which the server has.
	asked := func(f func(s *S, client, server *Chan, address string)) func(*S) {
		return func(s *S) {
			client, server := s.Dial().Channel(), s.Dial().Channel()
			q := server.Queue(s.N("requests"))
			server.Consume(q, "server")
			client.Consume(pseudoQueue, "replies", M{"no-ack": true})
			client.Publish("", q, "request", M{"reply-to": pseudoQueue, "correlation-id": "1"})
			m := server.Deliver(1)[0]
			address, _ := m.props["reply-to"].(string)
			f(s, client, server, address)
		}
	}
	return group{name: "direct-reply-to", scenarios: []scenario{
		{"round-trip", asked(func(_ *S, client, server *Chan, address string) {
			server.Publish("", address, "reply", M{"correlation-id": "1"})
			client.Deliver(1)
			server.Publish("", address, "another", M{"correlation-id": "1"})
			client.Deliver(1)
		})},
		{"broker-named-consumer", func(s *S) {
			c := s.Dial()
			ch := c.Channel()
			q := ch.Queue(s.N("q"))
			ch.Consume(pseudoQueue, "", M{"no-ack": true})
			ch.Publish("", q, "request", M{"reply-to": pseudoQueue})
			m := ch.Get(q)
			if m != nil {
				address, _ := m.props["reply-to"].(string)
				c.Channel().Publish("", address, "reply")
			}
			ch.Deliver(1)
		}},
		{"mandatory-reply", asked(func(_ *S, client, server *Chan, address string) {
			server.PublishWith(M{"routing-key": address, "mandatory": true}, "reply")
			client.Deliver(1)
			server.Quiet()
		})},
		{"confirmed-reply", asked(func(_ *S, client, server *Chan, address string) {
			server.Confirm()
			server.Publish("", address, "reply")
			client.Deliver(1)
			server.Confirms(1)
		})},
		{"reply-to-one-gone", asked(func(_ *S, client, server *Chan, address string) {
			client.Call("channel.close", M{"reply-code": 200})
			server.Publish("", address, "reply")
			server.Quiet()
		})},
		{"mandatory-reply-to-one-gone", asked(func(_ *S, client, server *Chan, address string) {
			client.Call("channel.close", M{"reply-code": 200})
			server.PublishWith(M{"routing-key": address, "mandatory": true}, "reply")
			server.Quiet()
		})},
		{"reply-after-cancel", asked(func(_ *S, client, server *Chan, address string) {
			client.Call("basic.cancel", M{"consumer-tag": "replies"})
			server.Publish("", address, "reply")
			client.Quiet()
		})},
		{"address-can-be-declared-passively", asked(func(_ *S, _, server *Chan, address string) {
			server.Count(address)
		})},
		{"address-of-one-gone-declared-passively", asked(func(_ *S, client, server *Chan, address string) {
			client.Call("channel.close", M{"reply-code": 200})
			server.Count(address)
		})},
		{"consume-with-acks", func(s *S) { s.Dial().Channel().Consume(pseudoQueue, "c") }},
		{"consume-twice", func(s *S) {
			ch := s.Dial().Channel()
			ch.Consume(pseudoQueue, "c", M{"no-ack": true})
			ch.Consume(pseudoQueue, "d", M{"no-ack": true})
		}},
		{"consume-cancel-consume", func(s *S) {
			ch := s.Dial().Channel()
			ch.Consume(pseudoQueue, "c", M{"no-ack": true})
			ch.Call("basic.cancel", M{"consumer-tag": "c"})
			ch.Consume(pseudoQueue, "d", M{"no-ack": true})
		}},
		{"publish-before-consuming", func(s *S) {
			ch := s.Dial().Channel()
			q := ch.Queue(s.N("q"))
			ch.Publish("", q, "request", M{"reply-to": pseudoQueue})
			ch.Closed()
		}},
		{"publish-from-another-channel", func(s *S) {
			c := s.Dial()
			one, two := c.Channel(), c.Channel()
			q := one.Queue(s.N("q"))
			one.Consume(pseudoQueue, "c", M{"no-ack": true})
			two.Publish("", q, "request", M{"reply-to": pseudoQueue})
			two.Closed()
		}},
		{"declare-passively", func(s *S) { s.Dial().Channel().Count(pseudoQueue) }},
		{"declare", func(s *S) { s.Dial().Channel().Queue(pseudoQueue) }},
		{"get", func(s *S) { s.Dial().Channel().Get(pseudoQueue) }},
		{"delete", func(s *S) { s.Dial().Channel().Call("queue.delete", M{"queue": pseudoQueue}) }},
		{"bind", func(s *S) { s.Dial().Channel().Bind(pseudoQueue, "amq.direct", "k") }},
		{"publish-to-the-bare-name", func(s *S) {
			ch := s.Dial().Channel()
			ch.PublishWith(M{"routing-key": pseudoQueue, "mandatory": true}, "x")
			ch.Quiet()
		}},
		{"malformed-address", func(s *S) {
			ch := s.Dial().Channel()
			ch.Publish("", pseudoQueue+".nonsense", "x")
			ch.Quiet()
		}},
		{"malformed-address-mandatory", func(s *S) {
			ch := s.Dial().Channel()
			ch.PublishWith(M{"routing-key": pseudoQueue + ".g2dkAA.x.y", "mandatory": true}, "x")
			ch.Quiet()
		}},
		{"malformed-address-declared-passively", func(s *S) {
			s.Dial().Channel().Count(pseudoQueue + ".nonsense")
		}},
		{"qos-does-not-matter", func(s *S) {
			c := s.Dial()
			ch, server := c.Channel(), c.Channel()
			q := ch.Queue(s.N("q"))
			ch.Qos(1)
			ch.Consume(pseudoQueue, "c", M{"no-ack": true})
			ch.Publish("", q, "request", M{"reply-to": pseudoQueue})
			if m := ch.Get(q); m != nil {
				address, _ := m.props["reply-to"].(string)
				for _, body := range []string{"1", "2", "3"} {
					server.Publish("", address, body)
				}
			}
			ch.Deliver(3)
		}},
	}}
}
