package differential

import "time"

// dlx are a queue's arguments for dead-lettering through the default exchange.
func dlx(key string, more ...Table) Table {
	t := Table{"x-dead-letter-exchange": "", "x-dead-letter-routing-key": key}
	for _, m := range more {
		for k, v := range m {
			t[k] = v
		}
	}
	return t
}

func deadLetterScenarios() group {
	return group{name: "dead-letter", scenarios: []scenario{
		{"rejected", func(s *S) {
			ch := s.Dial().Channel()
			dead := ch.Queue(s.N("dead"))
			q := ch.Queue(s.N("q"), dlx(dead))
			ch.Publish("", q, "a", M{"correlation-id": "7", "headers": Table{"kept": "yes"}, "delivery-mode": 2, "priority": 3})
			ch.Reject(ch.Get(q), false)
			s.Settle(dead, 1)
			ch.GetAll(dead)
		}},
		{"nacked-in-order", func(s *S) {
			ch := s.Dial().Channel()
			dead := ch.Queue(s.N("dead"))
			q := ch.Queue(s.N("q"), dlx(dead))
			for _, body := range []string{"a", "b", "c"} {
				ch.Publish("", q, body)
			}
			ch.Consume(q, "c")
			ch.Nack(ch.Deliver(3)[2], true, false)
			s.Settle(dead, 3)
			ch.GetAll(dead)
		}},
		{"expired", func(s *S) {
			ch := s.Dial().Channel()
			dead := ch.Queue(s.N("dead"))
			q := ch.Queue(s.N("q"), dlx(dead))
			ch.Publish("", q, "a", M{"expiration": "20", "message-id": "1"})
			s.Settle(dead, 1)
			ch.GetAll(dead)
		}},
		{"expired-by-the-queue", func(s *S) {
			ch := s.Dial().Channel()
			dead := ch.Queue(s.N("dead"))
			q := ch.Queue(s.N("q"), dlx(dead, Table{"x-message-ttl": 20}))
			ch.Publish("", q, "a", M{"expiration": "60000"})
			ch.Publish("", q, "b")
			s.Settle(dead, 2)
			ch.GetAll(dead)
		}},
		{"expired-at-once", func(s *S) {
			ch := s.Dial().Channel()
			dead := ch.Queue(s.N("dead"))
			q := ch.Queue(s.N("q"), dlx(dead))
			ch.Publish("", q, "a", M{"expiration": "0"})
			s.Settle(dead, 1)
			ch.GetAll(dead)
		}},
		{"acked-and-purged-and-deleted-are-not", func(s *S) {
			ch := s.Dial().Channel()
			dead := ch.Queue(s.N("dead"))
			q := ch.Queue(s.N("q"), dlx(dead))
			for _, body := range []string{"acked", "purged"} {
				ch.Publish("", q, body)
			}
			ch.Ack(ch.Get(q))
			ch.Call("queue.purge", M{"queue": q})
			ch.Publish("", q, "deleted")
			ch.Call("queue.delete", M{"queue": q})
			ch.Quiet()
			ch.Count(dead)
		}},
		{"keeps-the-routing-key", func(s *S) {
			ch := s.Dial().Channel()
			ch.Exchange(s.N("x"), "direct")
			ch.Exchange(s.N("dlx"), "topic")
			dead := ch.Queue(s.N("dead"))
			ch.Bind(dead, s.N("dlx"), "#")
			q := ch.Queue(s.N("q"), Table{"x-dead-letter-exchange": s.N("dlx")})
			ch.Bind(q, s.N("x"), "some.key")
			ch.Publish(s.N("x"), "some.key", "a")
			ch.Reject(ch.Get(q), false)
			s.Settle(dead, 1)
			ch.GetAll(dead)
		}},
		{"exchange-missing", func(s *S) {
			ch := s.Dial().Channel()
			q := ch.Queue(s.N("q"), Table{"x-dead-letter-exchange": s.N("missing")})
			ch.Publish("", q, "a")
			ch.Reject(ch.Get(q), false)
			ch.Count(q)
		}},
		{"exchange-declared-later", func(s *S) {
			ch := s.Dial().Channel()
			q := ch.Queue(s.N("q"), Table{"x-dead-letter-exchange": s.N("dlx")})
			ch.Exchange(s.N("dlx"), "fanout")
			dead := ch.Queue(s.N("dead"))
			ch.Bind(dead, s.N("dlx"), "")
			ch.Publish("", q, "a")
			ch.Reject(ch.Get(q), false)
			s.Settle(dead, 1)
			ch.GetAll(dead)
		}},
		{"no-queue-takes-it", func(s *S) {
			ch := s.Dial().Channel()
			q := ch.Queue(s.N("q"), dlx(s.N("nobody")))
			ch.Publish("", q, "a")
			ch.Reject(ch.Get(q), false)
			ch.Count(q)
			ch.Quiet()
		}},
		{"twice-from-the-same-queue", func(s *S) {
			ch := s.Dial().Channel()
			// dead sends back what is rejected there.
			q, dead := s.N("q"), s.N("dead")
			ch.Queue(q, dlx(dead))
			ch.Queue(dead, dlx(q))
			ch.Publish("", q, "a")
			for range 2 {
				ch.Reject(ch.Get(q), false)
				s.Settle(dead, 1)
				ch.Reject(ch.Get(dead), false)
				s.Settle(q, 1)
			}
			ch.Get(q)
		}},
		{"two-reasons-two-entries", func(s *S) {
			ch := s.Dial().Channel()
			end := ch.Queue(s.N("end"))
			second := ch.Queue(s.N("second"), dlx(end))
			first := ch.Queue(s.N("first"), dlx(second))
			ch.Publish("", first, "a", M{"expiration": "10"})
			s.Settle(second, 1)
			ch.Reject(ch.Get(second), false)
			s.Settle(end, 1)
			ch.GetAll(end)
		}},
		{"retry-loop-by-expiry-counts", func(s *S) {
			ch := s.Dial().Channel()
			work, wait := s.N("work"), s.N("wait")
			ch.Queue(work, dlx(wait))
			ch.Queue(wait, dlx(work, Table{"x-message-ttl": 20}))
			ch.Publish("", work, "a")
			for range 3 {
				ch.Reject(ch.Get(work), false)
				s.Settle(work, 1)
			}
			ch.Get(work)
		}},
		{"cycle-of-expiries-is-dropped", func(s *S) {
			ch := s.Dial().Channel()
			a, b := s.N("a"), s.N("b")
			ch.Queue(a, dlx(b, Table{"x-message-ttl": 20}))
			ch.Queue(b, dlx(a, Table{"x-message-ttl": 20}))
			ch.Publish("", a, "x")
			s.Wait(400 * time.Millisecond) // several times round
			ch.Count(a)
			ch.Count(b)
		}},
		{"to-itself-by-expiry-is-dropped", func(s *S) {
			ch := s.Dial().Channel()
			q := s.N("q")
			ch.Queue(q, dlx(q, Table{"x-message-ttl": 20}))
			ch.Publish("", q, "x")
			s.Wait(400 * time.Millisecond) // several times round
			ch.Count(q)
		}},
		{"to-itself-by-rejection", func(s *S) {
			ch := s.Dial().Channel()
			q := s.N("q")
			ch.Queue(q, dlx(q))
			ch.Publish("", q, "x")
			ch.Reject(ch.Get(q), false)
			s.Settle(q, 1)
			ch.Get(q)
		}},
		{"drop-head-in-a-cycle", func(s *S) {
			ch := s.Dial().Channel()
			q := s.N("q")
			ch.Queue(q, dlx(q, Table{"x-max-length": 1}))
			ch.Publish("", q, "a")
			ch.Publish("", q, "b")
			ch.Quiet()
			ch.GetAll(q)
		}},
		{"cc-goes-along-without-a-key", func(s *S) {
			ch := s.Dial().Channel()
			ch.Exchange(s.N("dlx"), "direct")
			one, two := ch.Queue(s.N("one")), ch.Queue(s.N("two"))
			q := ch.Queue(s.N("q"), Table{"x-dead-letter-exchange": s.N("dlx")})
			ch.Bind(one, s.N("dlx"), q)
			ch.Bind(two, s.N("dlx"), "copy")
			ch.Publish("", q, "a", M{"headers": Table{"CC": []any{"copy"}}})
			ch.Reject(ch.Get(q), false)
			s.Settle(one, 1)
			s.Settle(two, 1)
			ch.GetAll(one)
			ch.GetAll(two)
		}},
		{"cc-is-removed-with-a-key", func(s *S) {
			ch := s.Dial().Channel()
			dead := ch.Queue(s.N("dead"))
			q := ch.Queue(s.N("q"), dlx(dead))
			ch.Publish("", q, "a", M{"headers": Table{"CC": []any{s.N("nobody")}, "BCC": []any{s.N("nothing")}}})
			ch.Reject(ch.Get(q), false)
			s.Settle(dead, 1)
			ch.GetAll(dead)
		}},
		{"fanout-to-several", func(s *S) {
			ch := s.Dial().Channel()
			ch.Exchange(s.N("dlx"), "fanout")
			one, two := ch.Queue(s.N("one")), ch.Queue(s.N("two"))
			ch.Bind(one, s.N("dlx"), "")
			ch.Bind(two, s.N("dlx"), "")
			q := ch.Queue(s.N("q"), Table{"x-dead-letter-exchange": s.N("dlx"), "x-dead-letter-routing-key": "dead"})
			ch.Publish("", q, "a")
			ch.Reject(ch.Get(q), false)
			s.Settle(one, 1)
			s.Settle(two, 1)
			ch.GetAll(one)
			ch.GetAll(two)
		}},
		{"headers-exchange-by-reason", func(s *S) {
			ch := s.Dial().Channel()
			ch.Exchange(s.N("dlx"), "headers")
			mine := ch.Queue(s.N("mine"))
			ch.Bind(mine, s.N("dlx"), "", Table{"x-match": "all", "owner": "me"})
			q := ch.Queue(s.N("q"), Table{"x-dead-letter-exchange": s.N("dlx")})
			ch.Publish("", q, "a", M{"headers": Table{"owner": "me"}, "expiration": "10"})
			ch.Publish("", q, "b", M{"headers": Table{"owner": "you"}, "expiration": "10"})
			s.Settle(mine, 1)
			ch.GetAll(mine)
		}},
		{"client-supplied-x-death", func(s *S) {
			ch := s.Dial().Channel()
			dead := ch.Queue(s.N("dead"))
			q := ch.Queue(s.N("q"), dlx(dead))
			forged := []any{Table{"count": 5, "reason": "rejected", "queue": q, "exchange": "", "routing-keys": []any{q}}}
			ch.Publish("", q, "a", M{"headers": Table{"x-death": forged, "x-first-death-queue": "forged"}})
			ch.Reject(ch.Get(q), false)
			s.Settle(dead, 1)
			ch.GetAll(dead)
		}},
		{"x-death-of-wrong-type", func(s *S) {
			ch := s.Dial().Channel()
			dead := ch.Queue(s.N("dead"))
			q := ch.Queue(s.N("q"), dlx(dead))
			ch.Publish("", q, "a", M{"headers": Table{"x-death": "not a list"}})
			ch.Reject(ch.Get(q), false)
			s.Settle(dead, 1)
			ch.GetAll(dead)
		}},
		{"bounce-to-the-caller", func(s *S) {
			// An expired request comes back to its sender's own queue.
			ch := s.Dial().Channel()
			ch.Exchange(s.N("bounce"), "headers")
			ch.Call("queue.declare", M{"queue": s.N("mine"), "exclusive": true})
			ch.Bind(s.N("mine"), s.N("bounce"), "", Table{"x-match": "all", "caller": "me"})
			q := ch.Queue(s.N("requests"), Table{"x-dead-letter-exchange": s.N("bounce")})
			ch.Consume(s.N("mine"), "c", M{"no-ack": true})
			ch.Publish("", q, "request", M{"expiration": "10", "correlation-id": "42", "reply-to": s.N("mine"), "headers": Table{"caller": "me"}})
			ch.Deliver(1)
		}},
	}}
}
