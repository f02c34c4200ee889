package differential

import (
	"fmt"
	"time"
)

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
	scenarios = append(scenarios, scenario{"headers-compare-types", compareHeaderTypes})
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

// compareHeaderTypes binds by a value of each type and publishes the same in every other.
func compareHeaderTypes(s *S) {
	ch := s.Dial().Channel()
	ch.Exchange(s.N("x"), "headers")
	values := []any{10, int8(10), uint32(10), 10.0, float32(10), "10", []byte("10"), true, "true", time.Unix(10, 0), Decimal{0, 10},
		nil, []any{10}, []any{10.0}, Table{"n": 10}, Table{"n": 10.0}}
	for i, bound := range values {
		q := ch.Queue(s.N(fmt.Sprint(i)))
		ch.Bind(q, s.N("x"), "", Table{"x-match": "all", "h": bound})
	}
	for i, sent := range values {
		ch.Publish(s.N("x"), fmt.Sprint(i), "", M{"headers": Table{"h": sent}})
	}
	for i := range values {
		ch.GetAll(s.N(fmt.Sprint(i)))
	}
}
