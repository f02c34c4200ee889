package differential

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
