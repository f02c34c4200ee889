package differential

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
