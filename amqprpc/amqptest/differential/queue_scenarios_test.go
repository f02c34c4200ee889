package differential

import "strings"

func queueScenarios() group {
	one := func(method string, m M) func(*S) {
		return func(s *S) { s.Dial().Channel().Call(method, m) }
	}
	// redeclare declares a queue, then again with other fields.
	redeclare := func(first, second M) func(*S) {
		return func(s *S) {
			ch := s.Dial().Channel()
			for _, m := range []M{first, second} {
				ch.Call("queue.declare", with(m, M{"queue": s.N("q")}))
			}
		}
	}
	args := func(t Table) M { return M{"arguments": t} }
	// locked has another connection hold an exclusive queue.
	locked := func(f func(ch *Chan, q string)) func(*S) {
		return func(s *S) {
			q := s.N("q")
			s.Dial().Channel().Call("queue.declare", M{"queue": q, "exclusive": true})
			f(s.Dial().Channel(), q)
		}
	}
	return group{name: "queue", scenarios: []scenario{
		{"declare-server-named", func(s *S) {
			ch := s.Dial().Channel()
			q := ch.Queue("")
			ch.Publish("", q, "x")
			ch.Count(q)
			ch.Call("queue.delete", M{"queue": q})
		}},
		{"declare-twice", redeclare(nil, nil)},
		{"declare-all-flags", redeclare(M{"durable": true, "auto-delete": true}, M{"durable": true, "auto-delete": true})},
		{"declare-reserved-name", one("queue.declare", M{"queue": "amq.mine"})},
		{"declare-longest-name", func(s *S) {
			ch := s.Dial().Channel()
			ch.Queue(strings.Repeat("q", 255))
		}},
		{"declare-nowait", func(s *S) {
			ch := s.Dial().Channel()
			ch.Send("queue.declare", M{"queue": s.N("q"), "nowait": true})
			ch.Count(s.N("q"))
		}},
		{"declare-passive-missing", one("queue.declare", M{"queue": "queue.missing", "passive": true})},
		{"declare-passive-nowait-missing", func(s *S) {
			ch := s.Dial().Channel()
			ch.Send("queue.declare", M{"queue": s.N("q"), "passive": true, "nowait": true})
			ch.Closed()
		}},
		{"declare-passive-otherwise", redeclare(nil, M{"passive": true, "durable": true, "exclusive": true, "arguments": Table{"x-max-length": 1}})},
		{"declare-passive-counts", func(s *S) {
			c := s.Dial()
			ch := c.Channel()
			q := ch.Queue(s.N("q"))
			for range 3 {
				ch.Publish("", q, "x")
			}
			ch.Count(q)
			ch.Get(q)
			ch.Count(q)
			c.Channel().Consume(q, "c", M{"no-ack": false})
			s.Settle(q, 0)
			ch.Count(q)
		}},
		{"redeclare-durable", redeclare(nil, M{"durable": true})},
		{"redeclare-not-durable", redeclare(M{"durable": true}, nil)},
		{"redeclare-exclusive", redeclare(nil, M{"exclusive": true})},
		{"redeclare-not-exclusive", redeclare(M{"exclusive": true}, nil)},
		{"redeclare-auto-delete", redeclare(nil, M{"auto-delete": true})},
		{"redeclare-several-differences", redeclare(nil, M{"durable": true, "auto-delete": true, "arguments": Table{"x-max-length": 1}})},
		{"redeclare-with-argument", redeclare(nil, args(Table{"x-message-ttl": 1000}))},
		{"redeclare-without-argument", redeclare(args(Table{"x-expires": 100000}), nil)},
		{"redeclare-other-argument", redeclare(args(Table{"x-max-length": 5}), args(Table{"x-max-length": 6}))},
		{"redeclare-argument-of-another-width", redeclare(args(Table{"x-max-length": 5}), args(Table{"x-max-length": int32(5)}))},
		{"redeclare-unknown-argument", redeclare(nil, args(Table{"x-whatever": "y"}))},
		{"redeclare-dead-letter-exchange", redeclare(args(Table{"x-dead-letter-exchange": "a"}), args(Table{"x-dead-letter-exchange": "b"}))},
		{"redeclare-type", redeclare(M{"durable": true}, M{"durable": true, "arguments": Table{"x-queue-type": "quorum"}})},
		{"redeclare-type-classic-said", redeclare(nil, args(Table{"x-queue-type": "classic"}))},
		{"redeclare-priority", redeclare(args(Table{"x-max-priority": 5}), nil)},
		{"redeclare-overflow", redeclare(args(Table{"x-overflow": "reject-publish"}), args(Table{"x-overflow": "drop-head"}))},
		{"redeclare-single-active", redeclare(args(Table{"x-single-active-consumer": true}), nil)},
		{"redeclare-queue-mode", redeclare(args(Table{"x-queue-mode": "lazy"}), nil)},

		{"exclusive-declare-by-another", locked(func(ch *Chan, q string) { ch.Queue(q) })},
		{"exclusive-declare-exclusively-by-another", locked(func(ch *Chan, q string) {
			ch.Call("queue.declare", M{"queue": q, "exclusive": true})
		})},
		{"exclusive-passive-by-another", locked(func(ch *Chan, q string) { ch.Count(q) })},
		{"exclusive-consume-by-another", locked(func(ch *Chan, q string) { ch.Consume(q, "c") })},
		{"exclusive-get-by-another", locked(func(ch *Chan, q string) { ch.Get(q) })},
		{"exclusive-bind-by-another", locked(func(ch *Chan, q string) { ch.Bind(q, "amq.direct", "k") })},
		{"exclusive-unbind-by-another", locked(func(ch *Chan, q string) {
			ch.Call("queue.unbind", M{"queue": q, "exchange": "amq.direct", "routing-key": "k"})
		})},
		{"exclusive-purge-by-another", locked(func(ch *Chan, q string) { ch.Call("queue.purge", M{"queue": q}) })},
		{"exclusive-delete-by-another", locked(func(ch *Chan, q string) { ch.Call("queue.delete", M{"queue": q}) })},
		{"exclusive-publish-by-another", func(s *S) {
			q := s.N("q")
			mine := s.Dial().Channel()
			mine.Call("queue.declare", M{"queue": q, "exclusive": true})
			theirs := s.Dial().Channel()
			theirs.Confirm()
			theirs.PublishWith(M{"routing-key": q, "mandatory": true}, "welcome")
			theirs.Confirms(1)
			mine.Get(q)
		}},
		{"exclusive-ends-with-its-connection", func(s *S) {
			q := s.N("q")
			c := s.Dial()
			c.Channel().Call("queue.declare", M{"queue": q, "exclusive": true, "durable": true})
			c.Call("connection.close", M{"reply-code": 200})
			s.Gone(q)
		}},
		{"exclusive-ends-with-a-dropped-connection", func(s *S) {
			q := s.N("q")
			c := s.Dial()
			c.Channel().Call("queue.declare", M{"queue": q, "exclusive": true})
			c.Abort()
			s.Gone(q)
		}},
		{"exclusive-outlives-its-channel", func(s *S) {
			q := s.N("q")
			c := s.Dial()
			ch := c.Channel()
			ch.Call("queue.declare", M{"queue": q, "exclusive": true})
			ch.Call("channel.close", M{"reply-code": 200})
			c.Channel().Count(q)
		}},

		{"auto-delete-with-the-last-consumer", func(s *S) {
			c := s.Dial()
			ch := c.Channel()
			q := s.N("q")
			ch.Call("queue.declare", M{"queue": q, "auto-delete": true})
			ch.Consume(q, "one")
			ch.Consume(q, "two")
			ch.Call("basic.cancel", M{"consumer-tag": "one"})
			ch.Count(q)
			ch.Call("basic.cancel", M{"consumer-tag": "two"})
			s.Gone(q)
		}},
		{"auto-delete-with-the-channel", func(s *S) {
			c := s.Dial()
			ch := c.Channel()
			q := s.N("q")
			ch.Call("queue.declare", M{"queue": q, "auto-delete": true})
			ch.Consume(q, "one")
			ch.Call("channel.close", M{"reply-code": 200})
			s.Gone(q)
		}},
		{"auto-delete-never-consumed", func(s *S) {
			ch := s.Dial().Channel()
			q := s.N("q")
			ch.Call("queue.declare", M{"queue": q, "auto-delete": true})
			ch.Publish("", q, "x")
			ch.Get(q)
			ch.Count(q)
		}},

		{"delete", func(s *S) {
			ch := s.Dial().Channel()
			q := ch.Queue(s.N("q"))
			ch.Publish("", q, "a")
			ch.Publish("", q, "b")
			ch.Get(q)
			ch.Call("queue.delete", M{"queue": q})
			ch.Count(q)
		}},
		{"delete-missing", one("queue.delete", M{"queue": "queue.missing"})},
		{"delete-nowait", func(s *S) {
			ch := s.Dial().Channel()
			q := ch.Queue(s.N("q"))
			ch.Send("queue.delete", M{"queue": q, "nowait": true})
			ch.Count(q)
		}},
		{"delete-if-empty", func(s *S) {
			ch := s.Dial().Channel()
			q := ch.Queue(s.N("q"))
			ch.Publish("", q, "a")
			ch.Call("queue.delete", M{"queue": q, "if-empty": true})
		}},
		{"delete-if-empty-with-unacknowledged", func(s *S) {
			ch := s.Dial().Channel()
			q := ch.Queue(s.N("q"))
			ch.Publish("", q, "a")
			ch.Get(q)
			ch.Call("queue.delete", M{"queue": q, "if-empty": true})
		}},
		{"delete-if-unused", func(s *S) {
			ch := s.Dial().Channel()
			q := ch.Queue(s.N("q"))
			ch.Consume(q, "c")
			ch.Call("queue.delete", M{"queue": q, "if-unused": true})
		}},
		{"delete-if-unused-and-empty-when-neither", func(s *S) {
			c := s.Dial()
			ch := c.Channel()
			q := ch.Queue(s.N("q"))
			c.Channel().Consume(q, "c")
			ch.Call("queue.delete", M{"queue": q, "if-unused": true, "if-empty": true})
		}},
		{"delete-if-unused-unused", func(s *S) {
			ch := s.Dial().Channel()
			q := ch.Queue(s.N("q"))
			ch.Publish("", q, "a")
			ch.Call("queue.delete", M{"queue": q, "if-unused": true})
		}},
		{"delete-then-declare-otherwise", func(s *S) {
			ch := s.Dial().Channel()
			q := ch.Queue(s.N("q"))
			ch.Call("queue.delete", M{"queue": q})
			ch.Call("queue.declare", M{"queue": q, "durable": true})
		}},
		{"purge", func(s *S) {
			ch := s.Dial().Channel()
			q := ch.Queue(s.N("q"))
			for _, body := range []string{"a", "b", "c"} {
				ch.Publish("", q, body)
			}
			held := ch.Get(q)
			ch.Call("queue.purge", M{"queue": q})
			ch.Reject(held, true)
			ch.GetAll(q)
		}},
		{"purge-missing", one("queue.purge", M{"queue": "queue.missing"})},
		{"purge-nowait", func(s *S) {
			ch := s.Dial().Channel()
			q := ch.Queue(s.N("q"))
			ch.Publish("", q, "a")
			ch.Send("queue.purge", M{"queue": q, "nowait": true})
			ch.Count(q)
		}},

		{"no-name-is-the-last-declared", func(s *S) {
			ch := s.Dial().Channel()
			ch.Queue(s.N("a"))
			ch.Queue(s.N("b"))
			ch.Publish("", s.N("b"), "x")
			ch.Call("basic.get", M{"no-ack": true})
			ch.Call("queue.purge", nil)
			ch.Consume("", "c")
			ch.Call("queue.delete", nil)
			ch.Count(s.N("b"))
		}},
		{"no-name-counts-a-passive-declare", func(s *S) {
			c := s.Dial()
			q := c.Channel().Queue(s.N("q"))
			ch := c.Channel()
			ch.Count(q)
			ch.Call("queue.purge", nil)
		}},
		{"no-name-is-per-channel", func(s *S) {
			c := s.Dial()
			c.Channel().Queue(s.N("a"))
			c.Channel().Call("queue.purge", nil)
		}},
		{"no-name-and-none-declared-get", one("basic.get", nil)},
		{"no-name-and-none-declared-consume", one("basic.consume", nil)},
		{"no-name-and-none-declared-delete", one("queue.delete", nil)},
	}}
}
