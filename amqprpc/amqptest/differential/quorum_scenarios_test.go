package differential

func quorumScenarios() group {
	quorum := func(more ...Table) Table {
		t := Table{"x-queue-type": "quorum"}
		for _, m := range more {
			for k, v := range m {
				t[k] = v
			}
		}
		return t
	}
	declare := func(ch *Chan, name string, args Table) string {
		ch.Call("queue.declare", M{"queue": name, "durable": true, "arguments": args})
		return name
	}
	// with has a quorum queue and a channel with confirms, which say when a message is in.
	with := func(args Table, f func(s *S, ch *Chan, q string)) func(*S) {
		return func(s *S) {
			ch := s.Dial().Channel()
			ch.Confirm()
			f(s, ch, declare(ch, s.N("q"), args))
		}
	}
	publish := func(ch *Chan, q string, bodies ...string) {
		for _, body := range bodies {
			ch.Publish("", q, body)
			ch.Confirms(1)
		}
	}
	return group{name: "quorum", scenarios: []scenario{
		{"declare-exclusive", func(s *S) {
			s.Dial().Channel().Call("queue.declare", M{"queue": s.N("q"), "durable": true, "exclusive": true, "arguments": quorum()})
		}},
		{"declare-auto-delete", func(s *S) {
			s.Dial().Channel().Call("queue.declare", M{"queue": s.N("q"), "durable": true, "auto-delete": true, "arguments": quorum()})
		}},
		{"declare-server-named", func(s *S) {
			ch := s.Dial().Channel()
			ok := ch.Call("queue.declare", M{"durable": true, "arguments": quorum()})
			if ok != nil && ok.method.name == "queue.declare-ok" {
				ch.Call("queue.delete", M{"queue": ok.fields["queue"]})
			}
		}},
		{"declare-with-priority", func(s *S) {
			declare(s.Dial().Channel(), s.N("q"), quorum(Table{"x-max-priority": 5}))
		}},
		{"declare-lazy", func(s *S) {
			declare(s.Dial().Channel(), s.N("q"), quorum(Table{"x-queue-mode": "lazy"}))
		}},
		{"declare-reject-publish-dlx", func(s *S) {
			declare(s.Dial().Channel(), s.N("q"), quorum(Table{"x-max-length": 1, "x-overflow": "reject-publish-dlx"}))
		}},
		{"declare-delivery-limit-negative", func(s *S) {
			declare(s.Dial().Channel(), s.N("q"), quorum(Table{"x-delivery-limit": -1}))
		}},
		{"declare-delivery-limit-string", func(s *S) {
			declare(s.Dial().Channel(), s.N("q"), quorum(Table{"x-delivery-limit": "3"}))
		}},
		{"declare-ttl-and-expires", func(s *S) {
			declare(s.Dial().Channel(), s.N("q"), quorum(Table{"x-message-ttl": 60000, "x-expires": 60000}))
		}},
		{"redeclare-as-classic", func(s *S) {
			ch := s.Dial().Channel()
			q := declare(ch, s.N("q"), quorum())
			ch.Call("queue.declare", M{"queue": q, "durable": true})
		}},
		{"round-trip", with(quorum(), func(_ *S, ch *Chan, q string) {
			publish(ch, q, "a", "b")
			ch.Consume(q, "c")
			for _, m := range ch.Deliver(2) {
				ch.Ack(m)
			}
			ch.Call("queue.delete", M{"queue": q})
		})},
		{"transient-messages-are-taken", with(quorum(), func(_ *S, ch *Chan, q string) {
			ch.Publish("", q, "a", M{"delivery-mode": 1})
			ch.Confirms(1)
			ch.Get(q)
		})},
		{"delivery-count", with(quorum(), func(_ *S, ch *Chan, q string) {
			publish(ch, q, "a")
			ch.Consume(q, "c")
			for range 3 {
				ch.Nack(ch.Deliver(1)[0], false, true)
			}
			ch.Ack(ch.Deliver(1)[0])
		})},
		{"delivery-count-with-reject", with(quorum(), func(_ *S, ch *Chan, q string) {
			publish(ch, q, "a")
			ch.Consume(q, "c")
			for range 2 {
				ch.Reject(ch.Deliver(1)[0], true)
			}
			ch.Ack(ch.Deliver(1)[0])
		})},
		{"delivery-count-after-a-closed-channel", func(s *S) {
			c := s.Dial()
			pub, con := c.Channel(), c.Channel()
			pub.Confirm()
			q := declare(pub, s.N("q"), quorum())
			publish(pub, q, "a")
			con.Consume(q, "c")
			con.Deliver(1)
			con.Call("channel.close", M{"reply-code": 200})
			s.Settle(q, 1)
			pub.Consume(q, "d")
			pub.Ack(pub.Deliver(1)[0])
		}},
		{"delivery-limit-drops", with(quorum(Table{"x-delivery-limit": 2}), func(s *S, ch *Chan, q string) {
			publish(ch, q, "a")
			ch.Consume(q, "c")
			for range 3 {
				ch.Reject(ch.Deliver(1)[0], true)
			}
			ch.Quiet()
			s.Settle(q, 0)
		})},
		{"delivery-limit-dead-letters", func(s *S) {
			ch := s.Dial().Channel()
			ch.Confirm()
			dead := ch.Queue(s.N("dead"))
			q := declare(ch, s.N("q"), quorum(dlx(dead), Table{"x-delivery-limit": 1}))
			publish(ch, q, "a")
			ch.Consume(q, "c")
			for range 2 {
				ch.Reject(ch.Deliver(1)[0], true)
			}
			s.Settle(dead, 1)
			ch.GetAll(dead)
		}},
		{"rejected-dead-letters", func(s *S) {
			ch := s.Dial().Channel()
			ch.Confirm()
			dead := ch.Queue(s.N("dead"))
			q := declare(ch, s.N("q"), quorum(dlx(dead)))
			publish(ch, q, "a")
			ch.Consume(q, "c")
			ch.Reject(ch.Deliver(1)[0], false)
			s.Settle(dead, 1)
			ch.GetAll(dead)
		}},
		{"expired-dead-letters", func(s *S) {
			ch := s.Dial().Channel()
			ch.Confirm()
			dead := ch.Queue(s.N("dead"))
			q := declare(ch, s.N("q"), quorum(dlx(dead)))
			ch.Publish("", q, "a", M{"expiration": "20"})
			ch.Confirms(1)
			s.Settle(dead, 1)
			ch.GetAll(dead)
		}},
		{"requeue-order", with(quorum(), func(_ *S, ch *Chan, q string) {
			publish(ch, q, "a", "b", "c")
			ch.Qos(2)
			ch.Consume(q, "c")
			d := ch.Deliver(2)
			ch.Reject(d[0], true)
			ch.Deliver(1)
			ch.Ack(d[1])
			ch.Deliver(1)
		})},
		{"global-qos", with(quorum(), func(_ *S, ch *Chan, q string) {
			ch.Call("basic.qos", M{"prefetch-count": 1, "global": true})
			ch.Consume(q, "c")
		})},
		{"get", with(quorum(), func(s *S, ch *Chan, q string) {
			publish(ch, q, "a", "b")
			ch.Get(q)
			m := ch.Get(q)
			ch.Get(q)
			ch.Ack(m)
		})},
		{"max-length-drop-head", with(quorum(Table{"x-max-length": 2}), func(s *S, ch *Chan, q string) {
			publish(ch, q, "a", "b", "c")
			s.Settle(q, 2)
			ch.Consume(q, "c", M{"no-ack": true})
			ch.Deliver(2)
		})},
		{"max-length-reject-publish", with(quorum(Table{"x-max-length": 1, "x-overflow": "reject-publish"}), func(s *S, ch *Chan, q string) {
			// The publisher hears of a full queue with some delay: the second may pass.
			publish(ch, q, "a")
			s.Settle(q, 1)
			ch.Consume(q, "c")
			ch.Deliver(1)
		})},
		{"single-active", func(s *S) {
			c := s.Dial()
			one, two := c.Channel(), c.Channel()
			one.Confirm()
			q := declare(one, s.N("q"), quorum(Table{"x-single-active-consumer": true}))
			one.Consume(q, "1")
			two.Consume(q, "2")
			publish(one, q, "a")
			one.Deliver(1)
			one.Call("channel.close", M{"reply-code": 200})
			two.Deliver(1)
		}},
		{"message-ttl", with(quorum(Table{"x-message-ttl": 30}), func(s *S, ch *Chan, q string) {
			publish(ch, q, "a")
			s.Settle(q, 0)
			ch.Get(q)
		})},
		{"purge", with(quorum(), func(_ *S, ch *Chan, q string) {
			publish(ch, q, "a", "b")
			ch.Call("queue.purge", M{"queue": q})
			ch.Get(q)
		})},
	}}
}
