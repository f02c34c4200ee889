package differential

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
