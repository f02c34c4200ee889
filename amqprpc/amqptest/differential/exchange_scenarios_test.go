package differential

func exchangeScenarios() group {
	one := func(method string, m M) func(*S) {
		return func(s *S) { s.Dial().Channel().Call(method, m) }
	}
	// redeclare declares an exchange, then again with other fields.
	redeclare := func(first, second M) func(*S) {
		return func(s *S) {
			ch := s.Dial().Channel()
			for _, m := range []M{first, second} {
				m = with(m, M{"exchange": s.N("x")})
				ch.Call("exchange.declare", m)
			}
		}
	}
	direct := M{"type": "direct"}
	var scenarios []scenario
	for _, kind := range []string{"direct", "fanout", "topic", "headers"} {
		scenarios = append(scenarios, scenario{"declare-" + kind, redeclare(M{"type": kind}, M{"type": kind, "durable": false})})
	}
	return group{name: "exchange", scenarios: append(scenarios, []scenario{
		{"declare-all-flags", redeclare(
			M{"type": "direct", "durable": true, "auto-delete": true, "internal": true},
			M{"type": "direct", "durable": true, "auto-delete": true, "internal": true})},
		{"redeclare-other-type", redeclare(direct, M{"type": "fanout"})},
		{"redeclare-durable", redeclare(direct, M{"type": "direct", "durable": true})},
		{"redeclare-auto-delete", redeclare(direct, M{"type": "direct", "auto-delete": true})},
		{"redeclare-internal", redeclare(direct, M{"type": "direct", "internal": true})},
		{"redeclare-with-alternate", redeclare(direct, M{"type": "direct", "arguments": Table{"alternate-exchange": "other"}})},
		{"redeclare-other-alternate", redeclare(
			M{"type": "direct", "arguments": Table{"alternate-exchange": "one"}},
			M{"type": "direct", "arguments": Table{"alternate-exchange": "two"}})},
		{"redeclare-unknown-argument", redeclare(direct, M{"type": "direct", "arguments": Table{"x-whatever": 1}})},
		{"redeclare-passive-other-type", redeclare(direct, M{"type": "fanout", "passive": true})},
		{"declare-passive-missing", one("exchange.declare", M{"exchange": "exchange.missing", "type": "direct", "passive": true})},
		{"declare-unknown-type", one("exchange.declare", M{"exchange": "exchange.unknown-type", "type": "x-none"})},
		{"declare-empty-type", one("exchange.declare", M{"exchange": "exchange.empty-type", "type": ""})},
		{"declare-reserved-name", one("exchange.declare", M{"exchange": "amq.mine", "type": "direct"})},
		{"declare-default", one("exchange.declare", M{"exchange": "", "type": "direct", "durable": true})},
		{"declare-default-passive", one("exchange.declare", M{"exchange": "", "type": "direct", "passive": true})},
		{"declare-predeclared", func(s *S) {
			ch := s.Dial().Channel()
			for _, x := range []string{"direct", "fanout", "topic", "headers", "match"} {
				kind := x
				if x == "match" {
					kind = "headers"
				}
				ch.Call("exchange.declare", M{"exchange": "amq." + x, "type": kind, "durable": true})
			}
		}},
		{"declare-predeclared-otherwise", one("exchange.declare", M{"exchange": "amq.direct", "type": "direct"})},
		{"declare-nowait", func(s *S) {
			ch := s.Dial().Channel()
			ch.Send("exchange.declare", M{"exchange": s.N("x"), "type": "fanout", "nowait": true})
			ch.Call("exchange.declare", M{"exchange": s.N("x"), "type": "fanout", "passive": true})
		}},
		{"declare-alternate-of-wrong-type", one("exchange.declare", M{"exchange": "exchange.bad-alternate", "type": "direct",
			"arguments": Table{"alternate-exchange": 5}})},
		{"delete", func(s *S) {
			ch := s.Dial().Channel()
			ch.Exchange(s.N("x"), "direct")
			ch.Call("exchange.delete", M{"exchange": s.N("x")})
			ch.Call("exchange.declare", M{"exchange": s.N("x"), "type": "direct", "passive": true})
		}},
		{"delete-missing", one("exchange.delete", M{"exchange": "exchange.missing"})},
		{"delete-default", one("exchange.delete", M{"exchange": ""})},
		{"delete-predeclared", one("exchange.delete", M{"exchange": "amq.topic"})},
		{"delete-nowait", func(s *S) {
			ch := s.Dial().Channel()
			ch.Exchange(s.N("x"), "direct")
			ch.Send("exchange.delete", M{"exchange": s.N("x"), "nowait": true})
			ch.Call("exchange.declare", M{"exchange": s.N("x"), "type": "direct", "passive": true})
		}},
		{"delete-if-unused", func(s *S) {
			ch := s.Dial().Channel()
			ch.Exchange(s.N("x"), "direct")
			q := ch.Queue(s.N("q"))
			ch.Bind(q, s.N("x"), "k")
			ch.Call("exchange.delete", M{"exchange": s.N("x"), "if-unused": true})
		}},
		{"delete-if-unused-unbound", func(s *S) {
			ch := s.Dial().Channel()
			ch.Exchange(s.N("x"), "direct")
			q := ch.Queue(s.N("q"))
			ch.Bind(q, s.N("x"), "k")
			ch.Call("queue.unbind", M{"queue": q, "exchange": s.N("x"), "routing-key": "k"})
			ch.Call("exchange.delete", M{"exchange": s.N("x"), "if-unused": true})
		}},
		{"delete-takes-bindings-along", func(s *S) {
			ch := s.Dial().Channel()
			ch.Exchange(s.N("x"), "fanout")
			q := ch.Queue(s.N("q"))
			ch.Bind(q, s.N("x"), "")
			ch.Call("exchange.delete", M{"exchange": s.N("x")})
			ch.Exchange(s.N("x"), "fanout")
			ch.Publish(s.N("x"), "", "to nobody")
			ch.Count(q)
		}},
		{"auto-delete-with-the-last-binding", func(s *S) {
			ch := s.Dial().Channel()
			ch.Call("exchange.declare", M{"exchange": s.N("x"), "type": "direct", "auto-delete": true})
			q := ch.Queue(s.N("q"))
			ch.Bind(q, s.N("x"), "a")
			ch.Bind(q, s.N("x"), "b")
			ch.Call("queue.unbind", M{"queue": q, "exchange": s.N("x"), "routing-key": "a"})
			ch.Call("exchange.declare", M{"exchange": s.N("x"), "type": "direct", "passive": true})
			ch.Call("queue.unbind", M{"queue": q, "exchange": s.N("x"), "routing-key": "b"})
			ch.Call("exchange.declare", M{"exchange": s.N("x"), "type": "direct", "passive": true})
		}},
		{"auto-delete-with-the-queue", func(s *S) {
			ch := s.Dial().Channel()
			ch.Call("exchange.declare", M{"exchange": s.N("x"), "type": "direct", "auto-delete": true})
			q := ch.Queue(s.N("q"))
			ch.Bind(q, s.N("x"), "a")
			ch.Call("queue.delete", M{"queue": q})
			ch.Call("exchange.declare", M{"exchange": s.N("x"), "type": "direct", "passive": true})
		}},
		{"auto-delete-never-bound", func(s *S) {
			ch := s.Dial().Channel()
			ch.Call("exchange.declare", M{"exchange": s.N("x"), "type": "direct", "auto-delete": true})
			ch.Call("exchange.declare", M{"exchange": s.N("x"), "type": "direct", "passive": true})
		}},
		{"auto-delete-source-of-an-exchange", func(s *S) {
			ch := s.Dial().Channel()
			ch.Call("exchange.declare", M{"exchange": s.N("x"), "type": "fanout", "auto-delete": true})
			ch.Exchange(s.N("y"), "fanout")
			ch.Call("exchange.bind", M{"destination": s.N("y"), "source": s.N("x")})
			ch.Call("exchange.delete", M{"exchange": s.N("y")})
			ch.Call("exchange.declare", M{"exchange": s.N("x"), "type": "fanout", "passive": true})
		}},
		{"internal-refuses-publishers", func(s *S) {
			ch := s.Dial().Channel()
			ch.Call("exchange.declare", M{"exchange": s.N("x"), "type": "direct", "internal": true})
			ch.Publish(s.N("x"), "k", "no entry")
			ch.Closed()
		}},
		{"internal-takes-from-exchanges", func(s *S) {
			ch := s.Dial().Channel()
			ch.Call("exchange.declare", M{"exchange": s.N("inner"), "type": "fanout", "internal": true})
			ch.Exchange(s.N("outer"), "fanout")
			ch.Call("exchange.bind", M{"destination": s.N("inner"), "source": s.N("outer")})
			q := ch.Queue(s.N("q"))
			ch.Bind(q, s.N("inner"), "")
			ch.Publish(s.N("outer"), "", "through")
			ch.Get(q)
		}},
		{"alternate-exchange", func(s *S) {
			ch := s.Dial().Channel()
			ch.Confirm()
			ch.Exchange(s.N("spare"), "fanout")
			ch.Exchange(s.N("x"), "direct", Table{"alternate-exchange": s.N("spare")})
			q, spare := ch.Queue(s.N("q")), ch.Queue(s.N("spare"))
			ch.Bind(q, s.N("x"), "k")
			ch.Bind(spare, s.N("spare"), "")
			ch.PublishWith(M{"exchange": s.N("x"), "routing-key": "k", "mandatory": true}, "routed")
			ch.PublishWith(M{"exchange": s.N("x"), "routing-key": "other", "mandatory": true}, "unrouted")
			ch.Confirms(2)
			ch.GetAll(q)
			ch.GetAll(spare)
		}},
		{"alternate-exchange-missing", func(s *S) {
			ch := s.Dial().Channel()
			ch.Confirm()
			ch.Exchange(s.N("x"), "direct", Table{"alternate-exchange": s.N("missing")})
			ch.PublishWith(M{"exchange": s.N("x"), "routing-key": "k", "mandatory": true}, "unrouted")
			ch.Next(2)
		}},
		{"alternate-exchange-chain-and-loop", func(s *S) {
			ch := s.Dial().Channel()
			ch.Confirm()
			ch.Exchange(s.N("a"), "direct", Table{"alternate-exchange": s.N("b")})
			ch.Exchange(s.N("b"), "direct", Table{"alternate-exchange": s.N("c")})
			ch.Exchange(s.N("c"), "topic", Table{"alternate-exchange": s.N("a")})
			q := ch.Queue(s.N("q"))
			ch.Bind(q, s.N("c"), "found.#")
			ch.PublishWith(M{"exchange": s.N("a"), "routing-key": "found.it", "mandatory": true}, "third")
			ch.Confirms(1)
			ch.PublishWith(M{"exchange": s.N("a"), "routing-key": "lost", "mandatory": true}, "round and round")
			ch.Next(2)
			ch.GetAll(q)
		}},
		{"publish-to-a-missing-one", func(s *S) {
			ch := s.Dial().Channel()
			ch.Publish(s.N("missing"), "k", "x")
			ch.Closed()
		}},
	}...)}
}

func exchangeBindingScenarios() group {
	return group{name: "exchange-binding", scenarios: []scenario{
		{"routes-on", func(s *S) {
			ch := s.Dial().Channel()
			ch.Exchange(s.N("a"), "topic")
			ch.Exchange(s.N("b"), "direct")
			q := ch.Queue(s.N("q"))
			ch.Call("exchange.bind", M{"destination": s.N("b"), "source": s.N("a"), "routing-key": "log.*"})
			ch.Bind(q, s.N("b"), "log.error")
			ch.Publish(s.N("a"), "log.error", "1")
			ch.Publish(s.N("a"), "log.info", "2")
			ch.Publish(s.N("a"), "other", "3")
			ch.GetAll(q)
		}},
		{"two-ways-one-copy", func(s *S) {
			ch := s.Dial().Channel()
			for _, x := range []string{"a", "b", "c"} {
				ch.Exchange(s.N(x), "fanout")
			}
			q := ch.Queue(s.N("q"))
			for _, x := range []string{"b", "c"} {
				ch.Call("exchange.bind", M{"destination": s.N(x), "source": s.N("a")})
				ch.Bind(q, s.N(x), "")
			}
			ch.Publish(s.N("a"), "", "once")
			ch.GetAll(q)
		}},
		{"cycle", func(s *S) {
			ch := s.Dial().Channel()
			ch.Exchange(s.N("a"), "fanout")
			ch.Exchange(s.N("b"), "fanout")
			ch.Call("exchange.bind", M{"destination": s.N("b"), "source": s.N("a")})
			ch.Call("exchange.bind", M{"destination": s.N("a"), "source": s.N("b")})
			q := ch.Queue(s.N("q"))
			ch.Bind(q, s.N("a"), "")
			ch.Bind(q, s.N("b"), "")
			ch.Publish(s.N("a"), "", "once")
			ch.GetAll(q)
		}},
		{"unbind", func(s *S) {
			ch := s.Dial().Channel()
			ch.Exchange(s.N("a"), "fanout")
			ch.Exchange(s.N("b"), "fanout")
			q := ch.Queue(s.N("q"))
			ch.Bind(q, s.N("b"), "")
			ch.Call("exchange.bind", M{"destination": s.N("b"), "source": s.N("a"), "routing-key": "k"})
			ch.Call("exchange.unbind", M{"destination": s.N("b"), "source": s.N("a"), "routing-key": "another"})
			ch.Publish(s.N("a"), "", "still bound")
			ch.Call("exchange.unbind", M{"destination": s.N("b"), "source": s.N("a"), "routing-key": "k"})
			ch.Publish(s.N("a"), "", "unbound")
			ch.GetAll(q)
		}},
		{"missing-source", func(s *S) {
			ch := s.Dial().Channel()
			ch.Exchange(s.N("b"), "fanout")
			ch.Call("exchange.bind", M{"destination": s.N("b"), "source": s.N("missing")})
		}},
		{"missing-destination", func(s *S) {
			ch := s.Dial().Channel()
			ch.Exchange(s.N("a"), "fanout")
			ch.Call("exchange.bind", M{"destination": s.N("missing"), "source": s.N("a")})
		}},
		{"missing-both", func(s *S) {
			ch := s.Dial().Channel()
			ch.Call("exchange.bind", M{"destination": s.N("missing"), "source": s.N("lost")})
		}},
		{"default-as-source", func(s *S) {
			ch := s.Dial().Channel()
			ch.Exchange(s.N("b"), "fanout")
			ch.Call("exchange.bind", M{"destination": s.N("b"), "source": "", "routing-key": "k"})
		}},
		{"default-as-destination", func(s *S) {
			ch := s.Dial().Channel()
			ch.Exchange(s.N("a"), "fanout")
			ch.Call("exchange.bind", M{"destination": "", "source": s.N("a"), "routing-key": "k"})
		}},
		{"unbind-missing-source", func(s *S) {
			ch := s.Dial().Channel()
			ch.Exchange(s.N("b"), "fanout")
			ch.Call("exchange.unbind", M{"destination": s.N("b"), "source": s.N("missing")})
		}},
		{"nowait", func(s *S) {
			ch := s.Dial().Channel()
			ch.Exchange(s.N("a"), "fanout")
			ch.Exchange(s.N("b"), "fanout")
			q := ch.Queue(s.N("q"))
			ch.Bind(q, s.N("b"), "")
			ch.Send("exchange.bind", M{"destination": s.N("b"), "source": s.N("a"), "nowait": true})
			ch.Publish(s.N("a"), "", "1")
			ch.Count(q)
			ch.Send("exchange.unbind", M{"destination": s.N("b"), "source": s.N("a"), "nowait": true})
			ch.Publish(s.N("a"), "", "2")
			ch.GetAll(q)
		}},
	}}
}
