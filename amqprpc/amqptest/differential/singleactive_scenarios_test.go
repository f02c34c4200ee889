package differential

func singleActiveScenarios() group {
	return group{name: "single-active", scenarios: []scenario{
		{"only-the-first-gets", func(s *S) {
			c := s.Dial()
			one, two := c.Channel(), c.Channel()
			q := one.Queue(s.N("q"), Table{"x-single-active-consumer": true})
			one.Consume(q, "1", M{"no-ack": true})
			two.Consume(q, "2", M{"no-ack": true})
			for _, body := range []string{"a", "b", "c"} {
				one.Publish("", q, body)
			}
			one.Deliver(3)
			two.Quiet()
		}},
		{"next-takes-over-on-cancel", func(s *S) {
			c := s.Dial()
			one, two := c.Channel(), c.Channel()
			q := one.Queue(s.N("q"), Table{"x-single-active-consumer": true})
			one.Consume(q, "1", M{"no-ack": true})
			two.Consume(q, "2", M{"no-ack": true})
			one.Call("basic.cancel", M{"consumer-tag": "1"})
			one.Publish("", q, "a")
			two.Deliver(1)
		}},
		{"next-takes-over-on-close", func(s *S) {
			c := s.Dial()
			one, two := c.Channel(), c.Channel()
			q := one.Queue(s.N("q"), Table{"x-single-active-consumer": true})
			one.Consume(q, "1")
			two.Consume(q, "2")
			two.Publish("", q, "a")
			one.Deliver(1)
			one.Call("channel.close", M{"reply-code": 200})
			two.Deliver(1)
		}},
		{"order-of-succession", func(s *S) {
			c := s.Dial()
			ch := c.Channel()
			q := ch.Queue(s.N("q"), Table{"x-single-active-consumer": true})
			for _, tag := range []string{"1", "2", "3"} {
				ch.Consume(q, tag, M{"no-ack": true})
			}
			ch.Call("basic.cancel", M{"consumer-tag": "2"})
			ch.Call("basic.cancel", M{"consumer-tag": "1"})
			ch.Publish("", q, "a")
			ch.Deliver(1)
		}},
		{"prefetch-does-not-pass-on", func(s *S) {
			ch := s.Dial().Channel()
			q := ch.Queue(s.N("q"), Table{"x-single-active-consumer": true})
			ch.Qos(1)
			ch.Consume(q, "1")
			ch.Consume(q, "2")
			ch.Publish("", q, "a")
			ch.Publish("", q, "b")
			m := ch.Deliver(1)[0]
			ch.Quiet()
			ch.Ack(m)
			ch.Deliver(1)
		}},
		{"exclusive-consumer", func(s *S) {
			ch := s.Dial().Channel()
			q := ch.Queue(s.N("q"), Table{"x-single-active-consumer": true})
			ch.Consume(q, "1", M{"exclusive": true})
		}},
	}}
}
