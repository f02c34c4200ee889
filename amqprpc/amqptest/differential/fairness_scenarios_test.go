package differential

// fairnessScenarios are about who is next when a limit lets one more message through.
func fairnessScenarios() group {
	global := func(ch *Chan, n int) { ch.Call("basic.qos", M{"prefetch-count": n, "global": true}) }
	fill := func(ch *Chan, q string, n int) {
		for i := range n {
			ch.Publish("", q, string(rune('a'+i)))
		}
	}
	// inTurn has some consumers of one channel share a queue, and acknowledges as it comes.
	inTurn := func(limit int, tags ...string) func(*S) {
		return func(s *S) {
			c := s.Dial()
			ch := c.Channel()
			q := ch.Queue(s.N("q"))
			global(ch, limit)
			for _, tag := range tags {
				ch.Consume(q, tag)
			}
			fill(c.Channel(), q, 12)
			pending := ch.Deliver(limit)
			for range 12 - limit {
				ch.Ack(pending[0])
				pending = append(pending[1:], ch.Deliver(1)...)
			}
		}
	}
	return group{name: "fairness", releases: []string{"3.10", "4.0"}, scenarios: []scenario{
		{"two-by-one", inTurn(1, "a", "b")},
		{"three-by-one", inTurn(1, "a", "b", "c")},
		{"three-by-two", inTurn(2, "a", "b", "c")},
		{"names-do-not-matter", inTurn(1, "z", "y", "x")},
		{"messages-before-consumers", func(s *S) {
			ch := s.Dial().Channel()
			q := ch.Queue(s.N("q"))
			fill(ch, q, 8)
			global(ch, 1)
			ch.Consume(q, "a")
			m := ch.Deliver(1)[0]
			ch.Consume(q, "b")
			for range 7 {
				ch.Ack(m)
				m = ch.Deliver(1)[0]
			}
		}},
		{"priority-goes-first", func(s *S) {
			ch := s.Dial().Channel()
			q := ch.Queue(s.N("q"))
			global(ch, 1)
			ch.Consume(q, "low")
			ch.Consume(q, "high", M{"arguments": Table{"x-priority": 5}})
			fill(ch, q, 5)
			for range 5 {
				ch.Ack(ch.Deliver(1)[0])
			}
		}},
		{"one-at-a-time-after-a-lull", func(s *S) {
			ch := s.Dial().Channel()
			q := ch.Queue(s.N("q"))
			global(ch, 1)
			ch.Consume(q, "a")
			ch.Consume(q, "b")
			for range 5 {
				fill(ch, q, 1)
				ch.Ack(ch.Deliver(1)[0])
				ch.Count(q)
			}
		}},
		{"with-a-limit-of-its-own-each", func(s *S) {
			ch := s.Dial().Channel()
			q := ch.Queue(s.N("q"))
			global(ch, 3)
			ch.Qos(2) // lifts the other
			global(ch, 3)
			ch.Consume(q, "a")
			ch.Consume(q, "b")
			fill(ch, q, 9)
			pending := ch.Deliver(3)
			for range 6 {
				ch.Ack(pending[0])
				pending = append(pending[1:], ch.Deliver(1)...)
			}
		}},
		{"beside-a-channel-without-a-limit", func(s *S) {
			c := s.Dial()
			ch, free := c.Channel(), c.Channel()
			q := ch.Queue(s.N("q"))
			global(ch, 1)
			ch.Consume(q, "a")
			ch.Consume(q, "b")
			fill(ch, q, 3)
			m := ch.Deliver(1)[0]
			ch.Quiet()
			free.Consume(q, "c")
			free.Deliver(2)
			ch.Ack(m)
			ch.Count(q) // until the queue knows that there is room
			fill(ch, q, 2)
			ch.Deliver(1)
			free.Deliver(1)
		}},
		{"limit-raised", func(s *S) {
			ch := s.Dial().Channel()
			q := ch.Queue(s.N("q"))
			global(ch, 1)
			for _, tag := range []string{"a", "b", "c"} {
				ch.Consume(q, tag)
			}
			fill(ch, q, 6)
			ch.Deliver(1)
			ch.Quiet()
			global(ch, 4)
			ch.Deliver(3)
			ch.Quiet()
		}},
		{"one-cancelled", func(s *S) {
			ch := s.Dial().Channel()
			q := ch.Queue(s.N("q"))
			global(ch, 1)
			for _, tag := range []string{"a", "b", "c"} {
				ch.Consume(q, tag)
			}
			fill(ch, q, 6)
			m := ch.Deliver(1)[0]
			ch.Call("basic.cancel", M{"consumer-tag": "b"})
			for range 5 {
				ch.Ack(m)
				m = ch.Deliver(1)[0]
			}
		}},
	}}
}
