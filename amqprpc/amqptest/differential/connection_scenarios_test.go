package differential

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
