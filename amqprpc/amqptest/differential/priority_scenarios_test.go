package differential

import "time"

func priorityScenarios() group {
	return group{name: "priority", scenarios: []scenario{
		{"highest-first", func(s *S) {
			ch := s.Dial().Channel()
			q := ch.Queue(s.N("q"), Table{"x-max-priority": 5})
			for i, p := range []int{1, 5, 0, 3, 5, 1} {
				ch.Publish("", q, string(rune('a'+i)), M{"priority": p})
			}
			ch.GetAll(q)
		}},
		{"none-is-zero-and-more-is-the-most", func(s *S) {
			ch := s.Dial().Channel()
			q := ch.Queue(s.N("q"), Table{"x-max-priority": 2})
			ch.Publish("", q, "none")
			ch.Publish("", q, "zero", M{"priority": 0})
			ch.Publish("", q, "two", M{"priority": 2})
			ch.Publish("", q, "nine", M{"priority": 9})
			ch.Publish("", q, "one", M{"priority": 1})
			ch.GetAll(q)
		}},
		{"ignored-by-other-queues", func(s *S) {
			ch := s.Dial().Channel()
			q := ch.Queue(s.N("q"))
			ch.Publish("", q, "low", M{"priority": 1})
			ch.Publish("", q, "high", M{"priority": 9})
			ch.GetAll(q)
		}},
		{"requeued-keeps-its-priority", func(s *S) {
			ch := s.Dial().Channel()
			q := ch.Queue(s.N("q"), Table{"x-max-priority": 5})
			ch.Publish("", q, "a", M{"priority": 1})
			ch.Publish("", q, "b", M{"priority": 1})
			m := ch.Get(q)
			ch.Publish("", q, "c", M{"priority": 2})
			ch.Reject(m, true)
			ch.GetAll(q)
		}},
		{"drop-head-drops-the-lowest", func(s *S) {
			ch := s.Dial().Channel()
			q := ch.Queue(s.N("q"), Table{"x-max-priority": 5, "x-max-length": 2})
			ch.Publish("", q, "high", M{"priority": 5})
			ch.Publish("", q, "low", M{"priority": 1})
			ch.Publish("", q, "middle", M{"priority": 3})
			ch.GetAll(q)
		}},
		{"expires-behind-a-higher-one", func(s *S) {
			ch := s.Dial().Channel()
			q := ch.Queue(s.N("q"), Table{"x-max-priority": 5})
			ch.Publish("", q, "high", M{"priority": 5})
			ch.Publish("", q, "low", M{"priority": 1, "expiration": "30"})
			s.Wait(150 * time.Millisecond)
			ch.Count(q)
			ch.GetAll(q)
		}},
	}}
}
