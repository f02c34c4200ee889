package differential

func lengthScenarios() group {
	return group{name: "length", scenarios: []scenario{
		{"drop-head", func(s *S) {
			ch := s.Dial().Channel()
			q := ch.Queue(s.N("q"), Table{"x-max-length": 2})
			for _, body := range []string{"a", "b", "c", "d"} {
				ch.Publish("", q, body)
			}
			ch.GetAll(q)
		}},
		{"drop-head-confirms-all", func(s *S) {
			ch := s.Dial().Channel()
			ch.Confirm()
			q := ch.Queue(s.N("q"), Table{"x-max-length": 1, "x-overflow": "drop-head"})
			for _, body := range []string{"a", "b"} {
				ch.Publish("", q, body)
			}
			ch.Confirms(2)
			ch.GetAll(q)
		}},
		{"unacknowledged-do-not-count", func(s *S) {
			ch := s.Dial().Channel()
			q := ch.Queue(s.N("q"), Table{"x-max-length": 1})
			ch.Publish("", q, "a")
			held := ch.Get(q)
			ch.Publish("", q, "b")
			ch.Count(q)
			ch.Reject(held, true)
			ch.GetAll(q)
		}},
		{"zero", func(s *S) {
			ch := s.Dial().Channel()
			q := ch.Queue(s.N("q"), Table{"x-max-length": 0})
			ch.Publish("", q, "a")
			ch.Count(q)
			ch.Consume(q, "c")
			ch.Publish("", q, "b")
			ch.Deliver(1)
		}},
		{"bytes", func(s *S) {
			ch := s.Dial().Channel()
			q := ch.Queue(s.N("q"), Table{"x-max-length-bytes": 10})
			for _, body := range []string{"aaaaa", "bbbbb", "c", "ddddddddd"} {
				ch.Publish("", q, body)
				ch.Count(q)
			}
			ch.GetAll(q)
		}},
		{"bytes-one-too-large", func(s *S) {
			ch := s.Dial().Channel()
			q := ch.Queue(s.N("q"), Table{"x-max-length-bytes": 10})
			ch.Publish("", q, "small")
			ch.Publish("", q, "larger than ten")
			ch.Count(q)
		}},
		{"both-limits", func(s *S) {
			ch := s.Dial().Channel()
			q := ch.Queue(s.N("q"), Table{"x-max-length": 3, "x-max-length-bytes": 10})
			for _, body := range []string{"a", "b", "c", "d", "eeeeeeeee"} {
				ch.Publish("", q, body)
				ch.Count(q)
			}
			ch.GetAll(q)
		}},
		{"dropped-head-is-dead-lettered", func(s *S) {
			ch := s.Dial().Channel()
			dead := ch.Queue(s.N("dead"))
			q := ch.Queue(s.N("q"), Table{"x-max-length": 1, "x-dead-letter-exchange": "", "x-dead-letter-routing-key": dead})
			ch.Publish("", q, "a")
			ch.Publish("", q, "b")
			s.Settle(dead, 1)
			ch.GetAll(dead)
			ch.GetAll(q)
		}},
		{"reject-publish-without-confirms", func(s *S) {
			ch := s.Dial().Channel()
			q := ch.Queue(s.N("q"), Table{"x-max-length": 1, "x-overflow": "reject-publish"})
			ch.Publish("", q, "a")
			ch.Publish("", q, "b")
			ch.GetAll(q)
			ch.Publish("", q, "c")
			ch.GetAll(q)
		}},
		{"reject-publish-is-not-returned", func(s *S) {
			ch := s.Dial().Channel()
			ch.Confirm()
			q := ch.Queue(s.N("q"), Table{"x-max-length": 0, "x-overflow": "reject-publish"})
			ch.PublishWith(M{"routing-key": q, "mandatory": true}, "a")
			ch.Next(1)
			ch.Quiet()
		}},
		{"reject-publish-bytes", func(s *S) {
			ch := s.Dial().Channel()
			ch.Confirm()
			q := ch.Queue(s.N("q"), Table{"x-max-length-bytes": 5, "x-overflow": "reject-publish"})
			for _, body := range []string{"aaa", "bbb", "ccc"} {
				ch.Publish("", q, body)
				ch.Confirms(1)
			}
			ch.GetAll(q)
		}},
		{"reject-publish-with-a-waiting-consumer", func(s *S) {
			ch := s.Dial().Channel()
			ch.Confirm()
			q := ch.Queue(s.N("q"), Table{"x-max-length": 0, "x-overflow": "reject-publish"})
			ch.Consume(q, "c")
			ch.Publish("", q, "a")
			ch.Confirms(1)
			ch.Quiet()
		}},
		{"reject-publish-dead-letters-nothing", func(s *S) {
			ch := s.Dial().Channel()
			ch.Confirm()
			dead := ch.Queue(s.N("dead"))
			q := ch.Queue(s.N("q"), Table{"x-max-length": 1, "x-overflow": "reject-publish",
				"x-dead-letter-exchange": "", "x-dead-letter-routing-key": dead})
			ch.Publish("", q, "a")
			ch.Publish("", q, "b")
			ch.Confirms(2)
			ch.Quiet()
			ch.Count(dead)
		}},
		{"reject-publish-dlx", func(s *S) {
			ch := s.Dial().Channel()
			ch.Confirm()
			dead := ch.Queue(s.N("dead"))
			q := ch.Queue(s.N("q"), Table{"x-max-length": 1, "x-overflow": "reject-publish-dlx",
				"x-dead-letter-exchange": "", "x-dead-letter-routing-key": dead})
			ch.Publish("", q, "a")
			ch.Publish("", q, "b")
			ch.Confirms(2)
			s.Settle(dead, 1)
			ch.GetAll(dead)
			ch.GetAll(q)
		}},
	}}
}
