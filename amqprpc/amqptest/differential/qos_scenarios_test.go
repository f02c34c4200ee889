package differential

func qosScenarios() group {
	fill := func(ch *Chan, q string, n int) {
		for i := range n {
			ch.Publish("", q, string(rune('a'+i)))
		}
	}
	return group{name: "qos", scenarios: []scenario{
		{"prefetch-1", func(s *S) {
			ch := s.Dial().Channel()
			q := ch.Queue(s.N("q"))
			fill(ch, q, 3)
			ch.Qos(1)
			ch.Consume(q, "c")
			for range 3 {
				m := ch.Deliver(1)[0]
				ch.Quiet()
				ch.Ack(m)
			}
		}},
		{"prefetch-is-each-consumer's", func(s *S) {
			ch := s.Dial().Channel()
			a, b := ch.Queue(s.N("a")), ch.Queue(s.N("b"))
			fill(ch, a, 2)
			fill(ch, b, 2)
			ch.Qos(1)
			ch.Consume(a, "a")
			ch.Deliver(1)
			ch.Consume(b, "b")
			ch.Deliver(1)
			ch.Quiet()
		}},
		{"change-is-for-new-consumers", func(s *S) {
			ch := s.Dial().Channel()
			q := ch.Queue(s.N("q"))
			fill(ch, q, 4)
			ch.Qos(1)
			ch.Consume(q, "old")
			ch.Deliver(1)
			ch.Qos(2)
			ch.Quiet()
			ch.Consume(q, "new")
			ch.Deliver(2)
			ch.Quiet()
		}},
		{"global-is-the-channel's", func(s *S) {
			ch := s.Dial().Channel()
			a, b := ch.Queue(s.N("a")), ch.Queue(s.N("b"))
			fill(ch, a, 2)
			fill(ch, b, 2)
			ch.Call("basic.qos", M{"prefetch-count": 3, "global": true})
			ch.Consume(a, "a")
			d := ch.Deliver(2)
			ch.Consume(b, "b")
			ch.Deliver(1)
			ch.Quiet()
			ch.Ack(d[0])
			ch.Quiet()
		}},
		{"global-change-acts-at-once", func(s *S) {
			ch := s.Dial().Channel()
			q := ch.Queue(s.N("q"))
			fill(ch, q, 3)
			ch.Call("basic.qos", M{"prefetch-count": 1, "global": true})
			ch.Consume(q, "c")
			ch.Deliver(1)
			ch.Quiet()
			ch.Call("basic.qos", M{"prefetch-count": 2, "global": true})
			ch.Quiet()
			ch.Call("basic.qos", M{"global": true})
			ch.Quiet()
		}},
		{"both-limits", func(s *S) {
			ch := s.Dial().Channel()
			q := ch.Queue(s.N("q"))
			fill(ch, q, 6)
			ch.Call("basic.qos", M{"prefetch-count": 3, "global": true})
			ch.Qos(2)
			ch.Consume(q, "1")
			ch.Deliver(2)
			ch.Consume(q, "2")
			ch.Deliver(1)
			ch.Quiet()
		}},
		{"zero-is-no-limit", func(s *S) {
			ch := s.Dial().Channel()
			q := ch.Queue(s.N("q"))
			fill(ch, q, 5)
			ch.Qos(0)
			ch.Consume(q, "c")
			ch.Deliver(5)
		}},
		{"prefetch-size", func(s *S) { s.Dial().Channel().Call("basic.qos", M{"prefetch-size": 1024}) }},
		{"no-ack-is-not-limited", func(s *S) {
			ch := s.Dial().Channel()
			q := ch.Queue(s.N("q"))
			fill(ch, q, 3)
			ch.Qos(1)
			ch.Consume(q, "c", M{"no-ack": true})
			ch.Deliver(3)
		}},
		{"requeue-frees-a-place", func(s *S) {
			ch := s.Dial().Channel()
			q := ch.Queue(s.N("q"))
			fill(ch, q, 2)
			ch.Qos(1)
			ch.Consume(q, "c")
			ch.Reject(ch.Deliver(1)[0], true)
			ch.Reject(ch.Deliver(1)[0], false)
			ch.Deliver(1)
		}},
		{"round-robin-passes-over-the-full", func(s *S) {
			ch := s.Dial().Channel()
			q := ch.Queue(s.N("q"))
			ch.Qos(1)
			ch.Consume(q, "one")
			ch.Qos(3)
			ch.Consume(q, "three")
			fill(ch, q, 6)
			d := ch.Deliver(4)
			ch.Quiet()
			ch.Ack(d[0])
			ch.Deliver(1)
			ch.Quiet()
		}},
		{"cancelled-consumer's-messages-still-count", func(s *S) {
			ch := s.Dial().Channel()
			q := ch.Queue(s.N("q"))
			fill(ch, q, 3)
			ch.Call("basic.qos", M{"prefetch-count": 1, "global": true})
			ch.Consume(q, "c")
			m := ch.Deliver(1)[0]
			ch.Call("basic.cancel", M{"consumer-tag": "c"})
			ch.Consume(q, "d")
			ch.Quiet()
			ch.Ack(m)
			ch.Quiet()
		}},
	}}
}
