package differential

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
