package differential

import "fmt"

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

// with is a copy of a map with more in it.
func with(m, more M) M {
	c := M{}
	for k, v := range m {
		c[k] = v
	}
	for k, v := range more {
		c[k] = v
	}
	return c
}

func routingScenarios() group {
	var scenarios []scenario
	// Each topic pattern against all keys, in one scenario.
	keys := []string{"", "a", "a.b", "a.b.c", "b", "a..b", ".", "a.", ".a", "a.b.a.b", "A.b"}
	for i, pattern := range []string{"#", "*", "a.#", "#.b", "a.*", "*.b", "a.*.c", "#.#", "*.#", "#.*", "a.#.b", "", "a", "a.b", "*.*", "#.a.#", "a#", "a.**"} {
		scenarios = append(scenarios, scenario{fmt.Sprintf("topic-%02d", i+1), func(s *S) {
			s.Note("pattern %q", pattern)
			ch := s.Dial().Channel()
			ch.Exchange(s.N("x"), "topic")
			q := ch.Queue(s.N("q"))
			ch.Bind(q, s.N("x"), pattern)
			for _, key := range keys {
				ch.Publish(s.N("x"), key, fmt.Sprintf("%q", key))
			}
			ch.GetAll(q)
		}})
	}
	headers := []M{
		{"headers": Table{"a": "1", "b": "2"}},
		{"headers": Table{"a": "1"}},
		{"headers": Table{"a": "1", "b": "2", "c": "3"}},
		{"headers": Table{"a": "other", "b": "2"}},
		{"headers": Table{"a": 1, "b": 2}},
		{"headers": Table{"x-a": "1"}},
		{"headers": Table{"x-a": "2"}},
		{"headers": Table{}},
		{},
	}
	for _, h := range []struct {
		name string
		args Table
	}{
		{"all", Table{"x-match": "all", "a": "1", "b": "2"}},
		{"any", Table{"x-match": "any", "a": "1", "b": "2"}},
		{"without-x-match", Table{"a": "1", "b": "2"}},
		{"void-matches-any-value", Table{"x-match": "all", "a": nil}},
		{"numbers", Table{"x-match": "all", "a": 1}},
		{"number-of-another-width", Table{"x-match": "all", "a": int32(1)}},
		{"x-header-is-ignored", Table{"x-match": "all", "x-a": "1"}},
		{"all-with-x", Table{"x-match": "all-with-x", "x-a": "1"}},
		{"any-with-x", Table{"x-match": "any-with-x", "x-a": "1", "b": "2"}},
		{"all-of-nothing", Table{"x-match": "all"}},
		{"any-of-nothing", Table{"x-match": "any"}},
		{"no-arguments", nil},
		{"bad-x-match", Table{"x-match": "most", "a": "1"}},
		{"x-match-of-wrong-type", Table{"x-match": 1, "a": "1"}},
	} {
		scenarios = append(scenarios, scenario{"headers-" + h.name, func(s *S) {
			ch := s.Dial().Channel()
			ch.Exchange(s.N("x"), "headers")
			q := ch.Queue(s.N("q"))
			ch.Bind(q, s.N("x"), "ignored", h.args)
			for i, props := range headers {
				ch.Publish(s.N("x"), "k", fmt.Sprint(i), props)
			}
			ch.GetAll(q)
		}})
	}
	return group{name: "routing", scenarios: append(scenarios, []scenario{
		{"direct", func(s *S) {
			ch := s.Dial().Channel()
			ch.Exchange(s.N("x"), "direct")
			one, two := ch.Queue(s.N("one")), ch.Queue(s.N("two"))
			ch.Bind(one, s.N("x"), "a")
			ch.Bind(two, s.N("x"), "a")
			ch.Bind(two, s.N("x"), "b")
			for _, key := range []string{"a", "b", "c", "A", ""} {
				ch.Publish(s.N("x"), key, "to "+key)
			}
			ch.GetAll(one)
			ch.GetAll(two)
		}},
		{"fanout-ignores-the-key", func(s *S) {
			ch := s.Dial().Channel()
			ch.Exchange(s.N("x"), "fanout")
			one, two := ch.Queue(s.N("one")), ch.Queue(s.N("two"))
			ch.Bind(one, s.N("x"), "a")
			ch.Bind(two, s.N("x"), "b")
			ch.Publish(s.N("x"), "c", "to all")
			ch.GetAll(one)
			ch.GetAll(two)
		}},
		{"several-bindings-one-copy", func(s *S) {
			ch := s.Dial().Channel()
			ch.Exchange(s.N("x"), "topic")
			q := ch.Queue(s.N("q"))
			for _, key := range []string{"#", "*", "a"} {
				ch.Bind(q, s.N("x"), key)
			}
			ch.Publish(s.N("x"), "a", "once")
			ch.GetAll(q)
		}},
		{"bind-twice-unbind-once", func(s *S) {
			ch := s.Dial().Channel()
			ch.Exchange(s.N("x"), "direct")
			q := ch.Queue(s.N("q"))
			ch.Bind(q, s.N("x"), "a")
			ch.Bind(q, s.N("x"), "a")
			ch.Publish(s.N("x"), "a", "once")
			ch.Call("queue.unbind", M{"queue": q, "exchange": s.N("x"), "routing-key": "a"})
			ch.Publish(s.N("x"), "a", "never")
			ch.GetAll(q)
		}},
		{"same-key-other-arguments", func(s *S) {
			ch := s.Dial().Channel()
			ch.Exchange(s.N("x"), "direct")
			q := ch.Queue(s.N("q"))
			ch.Bind(q, s.N("x"), "a")
			ch.Bind(q, s.N("x"), "a", Table{"n": 1})
			ch.Call("queue.unbind", M{"queue": q, "exchange": s.N("x"), "routing-key": "a"})
			ch.Publish(s.N("x"), "a", "still bound by the other")
			ch.GetAll(q)
		}},
		{"default-exchange", func(s *S) {
			ch := s.Dial().Channel()
			q := ch.Queue(s.N("q"))
			ch.Publish("", q, "by name")
			ch.Publish("", q+"x", "to nobody")
			ch.GetAll(q)
		}},
		{"bind-to-default", func(s *S) {
			ch := s.Dial().Channel()
			q := ch.Queue(s.N("q"))
			ch.Bind(q, "", "k")
		}},
		{"unbind-from-default", func(s *S) {
			ch := s.Dial().Channel()
			q := ch.Queue(s.N("q"))
			ch.Call("queue.unbind", M{"queue": q, "exchange": "", "routing-key": q})
		}},
		{"bind-to-missing-exchange", func(s *S) {
			ch := s.Dial().Channel()
			ch.Bind(ch.Queue(s.N("q")), s.N("missing"), "k")
		}},
		{"bind-missing-queue", func(s *S) {
			ch := s.Dial().Channel()
			ch.Bind(s.N("missing"), "amq.direct", "k")
		}},
		{"unbind-what-is-not-bound", func(s *S) {
			ch := s.Dial().Channel()
			q := ch.Queue(s.N("q"))
			ch.Call("queue.unbind", M{"queue": q, "exchange": "amq.direct", "routing-key": "k"})
		}},
		{"unbind-missing-queue", func(s *S) {
			s.Dial().Channel().Call("queue.unbind", M{"queue": s.N("missing"), "exchange": "amq.direct", "routing-key": "k"})
		}},
		{"unbind-missing-exchange", func(s *S) {
			ch := s.Dial().Channel()
			ch.Call("queue.unbind", M{"queue": ch.Queue(s.N("q")), "exchange": s.N("missing"), "routing-key": "k"})
		}},
		{"bind-nowait", func(s *S) {
			ch := s.Dial().Channel()
			q := ch.Queue(s.N("q"))
			ch.Exchange(s.N("x"), "direct")
			ch.Send("queue.bind", M{"queue": q, "exchange": s.N("x"), "routing-key": "k", "nowait": true})
			ch.Publish(s.N("x"), "k", "bound")
			ch.GetAll(q)
		}},
		{"bind-the-last-declared-queue", func(s *S) {
			ch := s.Dial().Channel()
			q := ch.Queue(s.N("q"))
			ch.Exchange(s.N("x"), "direct")
			// Neither a queue nor a key: both are the last declared queue's name.
			ch.Bind("", s.N("x"), "")
			ch.Publish(s.N("x"), q, "by its name")
			ch.Publish(s.N("x"), "", "by nothing")
			ch.GetAll(q)
		}},
		{"bind-no-queue-declared", func(s *S) {
			ch := s.Dial().Channel()
			ch.Bind("", "amq.direct", "k")
		}},
		{"cc-and-bcc", func(s *S) {
			ch := s.Dial().Channel()
			a, b, c := ch.Queue(s.N("a")), ch.Queue(s.N("b")), ch.Queue(s.N("c"))
			ch.Publish("", a, "to three", M{"headers": Table{"CC": []any{b}, "BCC": []any{c}, "other": "kept"}})
			ch.GetAll(a)
			ch.GetAll(b)
			ch.GetAll(c)
		}},
		{"cc-repeats-the-key", func(s *S) {
			ch := s.Dial().Channel()
			a := ch.Queue(s.N("a"))
			ch.Publish("", a, "one copy", M{"headers": Table{"CC": []any{a, a}}})
			ch.GetAll(a)
		}},
		{"cc-is-no-list", func(s *S) {
			ch := s.Dial().Channel()
			a := ch.Queue(s.N("a"))
			ch.Publish("", a, "x", M{"headers": Table{"CC": "b"}})
			ch.Closed()
		}},
		{"cc-holds-a-number", func(s *S) {
			ch := s.Dial().Channel()
			a := ch.Queue(s.N("a"))
			ch.Publish("", a, "x", M{"headers": Table{"CC": []any{1}}})
			ch.GetAll(a)
		}},
		{"cc-alone-finds-a-queue", func(s *S) {
			ch := s.Dial().Channel()
			ch.Confirm()
			a := ch.Queue(s.N("a"))
			ch.PublishWith(M{"routing-key": s.N("missing"), "mandatory": true}, "routed", M{"headers": Table{"CC": []any{a}}})
			ch.Confirms(1)
			ch.GetAll(a)
		}},
		{"cc-through-a-topic", func(s *S) {
			ch := s.Dial().Channel()
			ch.Exchange(s.N("x"), "topic")
			a := ch.Queue(s.N("a"))
			ch.Bind(a, s.N("x"), "b.*")
			ch.Publish(s.N("x"), "a.1", "by its CC", M{"headers": Table{"CC": []any{"b.1", "b.2"}}})
			ch.GetAll(a)
		}},
	}...)}
}
