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

func confirmScenarios() group {
	return group{name: "confirm", scenarios: []scenario{
		{"select-twice", func(s *S) {
			ch := s.Dial().Channel()
			ch.Confirm()
			ch.Confirm()
		}},
		{"select-nowait", func(s *S) {
			ch := s.Dial().Channel()
			ch.Send("confirm.select", M{"nowait": true})
			ch.Publish("", s.N("nobody"), "x")
			ch.Confirms(1)
		}},
		{"numbers-begin-at-select", func(s *S) {
			ch := s.Dial().Channel()
			ch.Publish("", s.N("nobody"), "not counted")
			ch.Confirm()
			ch.Publish("", s.N("nobody"), "1")
			ch.Confirms(1)
			ch.Publish("", s.N("nobody"), "2")
			ch.Confirms(1)
		}},
		{"many", func(s *S) {
			ch := s.Dial().Channel()
			ch.Confirm()
			q := ch.Queue(s.N("q"))
			for range 50 {
				ch.Publish("", q, "x")
			}
			ch.Confirms(50)
			ch.Count(q)
		}},
		{"several-queues-one-confirm", func(s *S) {
			ch := s.Dial().Channel()
			ch.Confirm()
			ch.Exchange(s.N("x"), "fanout")
			for _, name := range []string{"a", "b", "c"} {
				ch.Bind(ch.Queue(s.N(name)), s.N("x"), "")
			}
			ch.Publish(s.N("x"), "", "to three")
			ch.Confirms(1)
			ch.Quiet()
		}},
		{"persistent-to-a-durable-queue", func(s *S) {
			ch := s.Dial().Channel()
			ch.Confirm()
			ch.Call("queue.declare", M{"queue": s.N("q"), "durable": true})
			for range 3 {
				ch.Publish("", s.N("q"), "x", M{"delivery-mode": 2})
			}
			ch.Confirms(3)
		}},
		{"after-tx-select", func(s *S) {
			ch := s.Dial().Channel()
			ch.Call("tx.select", nil)
			ch.Confirm()
		}},
		{"reject-publish-nacks", func(s *S) {
			ch := s.Dial().Channel()
			ch.Confirm()
			q := ch.Queue(s.N("q"), Table{"x-max-length": 1, "x-overflow": "reject-publish"})
			for _, body := range []string{"a", "b", "c"} {
				ch.Publish("", q, body)
				ch.Confirms(1)
			}
			ch.GetAll(q)
			ch.Publish("", q, "d")
			ch.Confirms(1)
		}},
		{"reject-publish-by-one-of-two-queues", func(s *S) {
			ch := s.Dial().Channel()
			ch.Confirm()
			ch.Exchange(s.N("x"), "fanout")
			full, open := ch.Queue(s.N("full"), Table{"x-max-length": 0, "x-overflow": "reject-publish"}), ch.Queue(s.N("open"))
			ch.Bind(full, s.N("x"), "")
			ch.Bind(open, s.N("x"), "")
			ch.Publish(s.N("x"), "", "half-way")
			ch.Confirms(1)
			ch.GetAll(open)
			ch.GetAll(full)
		}},
		{"consumed-at-once", func(s *S) {
			c := s.Dial()
			pub, con := c.Channel(), c.Channel()
			pub.Confirm()
			q := pub.Queue(s.N("q"))
			con.Consume(q, "c", M{"no-ack": true})
			pub.Publish("", q, "x", M{"delivery-mode": 2})
			con.Deliver(1)
			pub.Confirms(1)
		}},
		{"queue-deleted", func(s *S) {
			ch := s.Dial().Channel()
			ch.Confirm()
			q := ch.Queue(s.N("q"))
			ch.Call("queue.delete", M{"queue": q})
			ch.PublishWith(M{"routing-key": q, "mandatory": true}, "x")
			ch.Next(2)
		}},
	}}
}

func txScenarios() group {
	return group{name: "tx", scenarios: []scenario{
		{"select-twice", func(s *S) {
			ch := s.Dial().Channel()
			ch.Call("tx.select", nil)
			ch.Call("tx.select", nil)
		}},
		{"commit-without-select", func(s *S) { s.Dial().Channel().Call("tx.commit", nil) }},
		{"rollback-without-select", func(s *S) { s.Dial().Channel().Call("tx.rollback", nil) }},
		{"after-confirm-select", func(s *S) {
			ch := s.Dial().Channel()
			ch.Confirm()
			ch.Call("tx.select", nil)
		}},
		{"commit-publishes", func(s *S) {
			ch := s.Dial().Channel()
			q := ch.Queue(s.N("q"))
			ch.Call("tx.select", nil)
			ch.Publish("", q, "a")
			ch.Publish("", q, "b")
			ch.Count(q)
			ch.Call("tx.commit", nil)
			ch.GetAll(q)
		}},
		{"rollback-forgets-publishes", func(s *S) {
			ch := s.Dial().Channel()
			q := ch.Queue(s.N("q"))
			ch.Call("tx.select", nil)
			ch.Publish("", q, "a")
			ch.Call("tx.rollback", nil)
			ch.Publish("", q, "b")
			ch.Call("tx.commit", nil)
			ch.GetAll(q)
		}},
		{"commit-acks", func(s *S) {
			ch := s.Dial().Channel()
			q := ch.Queue(s.N("q"))
			ch.Publish("", q, "a")
			ch.Publish("", q, "b")
			ch.Call("tx.select", nil)
			ch.Ack(ch.Get(q))
			ch.Call("tx.commit", nil)
			ch.Ack(ch.Get(q))
			ch.Call("channel.close", M{"reply-code": 200})
			s.Settle(q, 1)
		}},
		{"rollback-takes-acks-back", func(s *S) {
			ch := s.Dial().Channel()
			q := ch.Queue(s.N("q"))
			ch.Publish("", q, "a")
			ch.Call("tx.select", nil)
			m := ch.Get(q)
			ch.Ack(m)
			ch.Call("tx.rollback", nil)
			ch.Count(q) // not requeued: it is unacknowledged again
			ch.Ack(m)
			ch.Call("tx.commit", nil)
			ch.Call("channel.close", M{"reply-code": 200})
			s.Settle(q, 0)
		}},
		{"commit-requeues", func(s *S) {
			ch := s.Dial().Channel()
			q := ch.Queue(s.N("q"))
			ch.Publish("", q, "a")
			ch.Call("tx.select", nil)
			ch.Reject(ch.Get(q), true)
			ch.Count(q)
			ch.Call("tx.commit", nil)
			ch.Get(q)
		}},
		{"ack-twice", func(s *S) {
			ch := s.Dial().Channel()
			q := ch.Queue(s.N("q"))
			ch.Publish("", q, "a")
			ch.Call("tx.select", nil)
			m := ch.Get(q)
			ch.Ack(m)
			ch.Ack(m)
			ch.Closed()
		}},
		{"mandatory-returns-at-publish-or-commit", func(s *S) {
			ch := s.Dial().Channel()
			ch.Call("tx.select", nil)
			ch.PublishWith(M{"routing-key": s.N("nobody"), "mandatory": true}, "x")
			ch.Quiet()
			ch.Send("tx.commit", nil)
			ch.Next(2)
		}},
		{"missing-exchange-at-publish", func(s *S) {
			ch := s.Dial().Channel()
			ch.Call("tx.select", nil)
			ch.Publish(s.N("missing"), "k", "x")
			ch.Closed()
		}},
		{"channel-close-rolls-back", func(s *S) {
			c := s.Dial()
			ch := c.Channel()
			q := ch.Queue(s.N("q"))
			ch.Call("tx.select", nil)
			ch.Publish("", q, "a")
			ch.Call("channel.close", M{"reply-code": 200})
			c.Channel().Count(q)
		}},
		{"declares-are-not-part-of-it", func(s *S) {
			ch := s.Dial().Channel()
			ch.Call("tx.select", nil)
			ch.Queue(s.N("q"))
			ch.Call("tx.rollback", nil)
			ch.Count(s.N("q"))
		}},
		{"empty-commit", func(s *S) {
			ch := s.Dial().Channel()
			ch.Call("tx.select", nil)
			ch.Call("tx.commit", nil)
			ch.Call("tx.rollback", nil)
		}},
	}}
}
