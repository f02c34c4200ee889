package differential

func ackScenarios() group {
	// held has n messages delivered on a channel and not acknowledged.
	held := func(n int, f func(s *S, ch *Chan, q string, d []*message)) func(*S) {
		return func(s *S) {
			ch := s.Dial().Channel()
			q := ch.Queue(s.N("q"))
			for i := range n {
				ch.Publish("", q, string(rune('a'+i)))
			}
			var d []*message
			for range n {
				d = append(d, ch.Get(q))
			}
			f(s, ch, q, d)
		}
	}
	return group{name: "ack", scenarios: []scenario{
		{"one", held(2, func(s *S, ch *Chan, q string, d []*message) {
			ch.Ack(d[1])
			ch.Call("channel.close", M{"reply-code": 200})
			s.Settle(q, 1)
		})},
		{"multiple", held(4, func(s *S, ch *Chan, q string, d []*message) {
			ch.Send("basic.ack", M{"delivery-tag": tagOf(d[2]), "multiple": true})
			ch.Call("channel.close", M{"reply-code": 200})
			s.Settle(q, 1)
		})},
		{"multiple-zero-is-all", held(3, func(s *S, ch *Chan, q string, _ []*message) {
			ch.Send("basic.ack", M{"delivery-tag": 0, "multiple": true})
			ch.Call("channel.close", M{"reply-code": 200})
			s.Settle(q, 0)
		})},
		{"multiple-zero-of-nothing", held(0, func(_ *S, ch *Chan, q string, _ []*message) {
			ch.Send("basic.ack", M{"delivery-tag": 0, "multiple": true})
			ch.Count(q)
		})},
		{"zero", held(1, func(_ *S, ch *Chan, _ string, _ []*message) {
			ch.Send("basic.ack", M{"delivery-tag": 0})
			ch.Closed()
		})},
		{"unknown", held(1, func(s *S, ch *Chan, q string, _ []*message) {
			ch.Send("basic.ack", M{"delivery-tag": 9})
			ch.Closed()
			s.Settle(q, 1)
		})},
		{"unknown-multiple", held(2, func(s *S, ch *Chan, q string, _ []*message) {
			ch.Send("basic.ack", M{"delivery-tag": 9, "multiple": true})
			ch.Closed()
			s.Settle(q, 2)
		})},
		{"twice", held(1, func(_ *S, ch *Chan, _ string, d []*message) {
			ch.Ack(d[0])
			ch.Ack(d[0])
			ch.Closed()
		})},
		{"multiple-over-a-gap", held(3, func(s *S, ch *Chan, q string, d []*message) {
			ch.Ack(d[1])
			ch.Send("basic.ack", M{"delivery-tag": tagOf(d[2]), "multiple": true})
			ch.Call("channel.close", M{"reply-code": 200})
			s.Settle(q, 0)
		})},
		{"multiple-of-a-settled-tag", held(3, func(_ *S, ch *Chan, _ string, d []*message) {
			ch.Ack(d[1])
			ch.Send("basic.ack", M{"delivery-tag": tagOf(d[1]), "multiple": true})
			ch.Closed()
		})},
		{"on-another-channel", func(s *S) {
			c := s.Dial()
			one, two := c.Channel(), c.Channel()
			q := one.Queue(s.N("q"))
			one.Publish("", q, "a")
			m := one.Get(q)
			two.Ack(m)
			two.Closed()
		}},
		{"reject-drops", held(1, func(_ *S, ch *Chan, q string, d []*message) {
			ch.Reject(d[0], false)
			ch.GetAll(q)
		})},
		{"reject-requeues-to-its-place", held(3, func(_ *S, ch *Chan, q string, d []*message) {
			ch.Reject(d[2], true)
			ch.Reject(d[0], true)
			ch.Reject(d[1], true)
			ch.GetAll(q)
		})},
		{"reject-requeues-before-what-came-later", held(2, func(_ *S, ch *Chan, q string, d []*message) {
			ch.Publish("", q, "later")
			ch.Reject(d[1], true)
			ch.GetAll(q)
		})},
		{"reject-unknown", held(0, func(_ *S, ch *Chan, _ string, _ []*message) {
			ch.Send("basic.reject", M{"delivery-tag": 1, "requeue": true})
			ch.Closed()
		})},
		{"nack-one-drops", held(2, func(_ *S, ch *Chan, q string, d []*message) {
			ch.Nack(d[1], false, false)
			ch.Reject(d[0], true)
			ch.GetAll(q)
		})},
		{"nack-multiple-requeues-in-order", held(4, func(_ *S, ch *Chan, q string, d []*message) {
			ch.Nack(d[2], true, true)
			ch.GetAll(q)
		})},
		{"nack-multiple-zero", held(3, func(_ *S, ch *Chan, q string, _ []*message) {
			ch.Send("basic.nack", M{"delivery-tag": 0, "multiple": true, "requeue": true})
			ch.GetAll(q)
		})},
		{"nack-multiple-zero-of-nothing", held(0, func(_ *S, ch *Chan, q string, _ []*message) {
			ch.Send("basic.nack", M{"delivery-tag": 0, "multiple": true, "requeue": true})
			ch.Count(q)
		})},
		{"nack-unknown", held(0, func(_ *S, ch *Chan, _ string, _ []*message) {
			ch.Send("basic.nack", M{"delivery-tag": 5, "requeue": true})
			ch.Closed()
		})},
		{"requeued-goes-to-a-waiting-consumer", func(s *S) {
			c := s.Dial()
			one, two := c.Channel(), c.Channel()
			q := one.Queue(s.N("q"))
			one.Publish("", q, "a")
			m := one.Get(q)
			two.Consume(q, "c")
			one.Reject(m, true)
			two.Deliver(1)
		}},
		{"requeued-comes-back-to-the-only-consumer", func(s *S) {
			ch := s.Dial().Channel()
			q := ch.Queue(s.N("q"))
			ch.Consume(q, "c")
			ch.Publish("", q, "a")
			ch.Nack(ch.Deliver(1)[0], false, true)
			ch.Nack(ch.Deliver(1)[0], false, true)
			ch.Ack(ch.Deliver(1)[0])
			ch.Count(q)
		}},
		{"requeue-passes-to-the-next-consumer", func(s *S) {
			ch := s.Dial().Channel()
			q := ch.Queue(s.N("q"))
			ch.Qos(1)
			ch.Consume(q, "1")
			ch.Consume(q, "2")
			ch.Publish("", q, "a")
			ch.Reject(ch.Deliver(1)[0], true)
			ch.Reject(ch.Deliver(1)[0], true)
			ch.Ack(ch.Deliver(1)[0])
		}},
		{"recover-requeues-all", held(3, func(_ *S, ch *Chan, q string, _ []*message) {
			ch.Call("basic.recover", M{"requeue": true})
			ch.GetAll(q)
		})},
		{"recover-without-requeue", held(1, func(_ *S, ch *Chan, _ string, _ []*message) {
			ch.Call("basic.recover", M{"requeue": false})
		})},
		{"recover-async", held(2, func(s *S, ch *Chan, q string, _ []*message) {
			ch.Send("basic.recover-async", M{"requeue": true})
			ch.GetAll(q)
		})},
		{"recover-redelivers-to-the-consumer", func(s *S) {
			ch := s.Dial().Channel()
			q := ch.Queue(s.N("q"))
			ch.Consume(q, "c")
			ch.Publish("", q, "a")
			ch.Publish("", q, "b")
			ch.Deliver(2)
			ch.Call("basic.recover", M{"requeue": true})
			ch.Deliver(2)
		}},
		{"tags-count-up-over-redeliveries", func(s *S) {
			ch := s.Dial().Channel()
			q := ch.Queue(s.N("q"))
			ch.Publish("", q, "a")
			for range 4 {
				ch.Reject(ch.Get(q), true)
			}
		}},
	}}
}
