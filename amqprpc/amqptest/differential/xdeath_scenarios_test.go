package differential

// xdeathScenarios have a client write into x-death what only the broker should.
func xdeathScenarios() group {
	entry := func(more Table, fields ...string) Table {
		t := Table{"exchange": "", "routing-keys": []any{"k"}}
		for i := 0; i+1 < len(fields); i += 2 {
			t[fields[i]] = fields[i+1]
		}
		for k, v := range more {
			t[k] = v
		}
		return t
	}
	var scenarios []scenario
	// Each forgery meets a death by rejection and one by expiry.
	for _, f := range []struct {
		name  string
		forge func(q, dead string) any
	}{
		{"no-count", func(q, _ string) any { return []any{entry(nil, "queue", q, "reason", "rejected")} }},
		{"count-of-five", func(q, _ string) any { return []any{entry(Table{"count": 5}, "queue", q, "reason", "rejected")} }},
		{"count-of-another-width", func(q, _ string) any {
			return []any{entry(Table{"count": int32(5)}, "queue", q, "reason", "rejected")}
		}},
		{"count-of-another-width-twice", func(q, _ string) any {
			return []any{entry(Table{"count": int32(5)}, "queue", q, "reason", "rejected"), entry(nil, "queue", q, "reason", "rejected")}
		}},
		{"count-negative", func(q, _ string) any { return []any{entry(Table{"count": -3}, "queue", q, "reason", "rejected")} }},
		{"names-in-bytes", func(q, _ string) any {
			return []any{entry(Table{"queue": []byte(q), "reason": []byte("rejected"), "count": 2})}
		}},
		{"twice-without-count", func(q, _ string) any {
			return []any{entry(nil, "queue", q, "reason", "rejected"), entry(nil, "queue", q, "reason", "rejected")}
		}},
		{"three-times-counted-differently", func(q, _ string) any {
			return []any{entry(Table{"count": 3}, "queue", q, "reason", "rejected"), entry(Table{"count": 4}, "queue", q, "reason", "rejected"),
				entry(nil, "queue", q, "reason", "rejected")}
		}},
		{"counted-second", func(q, _ string) any {
			return []any{entry(nil, "queue", q, "reason", "rejected"), entry(Table{"count": 4}, "queue", q, "reason", "rejected")}
		}},
		{"others-twice", func(_, _ string) any {
			return []any{entry(nil, "queue", "other", "reason", "rejected"), entry(nil, "queue", "other", "reason", "rejected"),
				entry(nil, "queue", "third", "reason", "expired")}
		}},
		{"one-other-without-count", func(_, _ string) any { return []any{entry(nil, "queue", "other", "reason", "expired")} }},
		{"four-in-order", func(q, _ string) any {
			return []any{entry(nil, "queue", "1", "reason", "rejected"), entry(nil, "queue", "2", "reason", "rejected"),
				entry(nil, "queue", q, "reason", "rejected"), entry(nil, "queue", "4", "reason", "rejected")}
		}},
		{"without-a-queue", func(_, _ string) any {
			return []any{entry(nil, "reason", "rejected"), entry(nil, "reason", "rejected")}
		}},
		{"without-a-reason", func(q, _ string) any { return []any{entry(nil, "queue", q)} }},
		{"unknown-reason", func(q, _ string) any { return []any{entry(nil, "queue", q, "reason", "bored")} }},
		{"more-fields", func(q, _ string) any {
			return []any{entry(Table{"mine": "own", "time": "noon"}, "queue", q, "reason", "rejected")}
		}},
		{"empty-list", func(_, _ string) any { return []any{} }},
		{"empty-entry", func(_, _ string) any { return []any{Table{}} }},
		{"names-the-next-queue", func(_, dead string) any { return []any{entry(nil, "queue", dead, "reason", "expired")} }},
		{"names-the-next-queue-and-a-rejection", func(_, dead string) any {
			return []any{entry(nil, "queue", "other", "reason", "rejected"), entry(nil, "queue", dead, "reason", "expired")}
		}},
		{"void", func(_, _ string) any { return nil }},
		{"a-table", func(q, _ string) any { return entry(nil, "queue", q, "reason", "rejected") }},
	} {
		scenarios = append(scenarios, scenario{f.name + "-rejected", func(s *S) {
			ch := s.Dial().Channel()
			dead, q := ch.Queue(s.N("dead")), s.N("q")
			ch.Queue(q, dlx(dead))
			ch.Publish("", q, "a", M{"headers": Table{"x-death": f.forge(q, dead)}})
			ch.Reject(ch.Get(q), false)
			ch.Quiet()
			ch.GetAll(dead)
		}}, scenario{f.name + "-expired", func(s *S) {
			ch := s.Dial().Channel()
			dead, q := ch.Queue(s.N("dead")), s.N("q")
			ch.Queue(q, dlx(dead))
			ch.Publish("", q, "a", M{"expiration": "1", "headers": Table{"x-death": f.forge(q, dead)}})
			ch.Quiet()
			ch.GetAll(dead)
		}}, scenario{f.name + "-rejected-twice", func(s *S) {
			ch := s.Dial().Channel()
			dead, q := s.N("dead"), s.N("q")
			ch.Queue(q, dlx(dead))
			ch.Queue(dead, dlx(q))
			ch.Publish("", q, "a", M{"headers": Table{"x-death": f.forge(q, dead)}})
			for _, from := range []string{q, dead, q} {
				ch.Reject(ch.Get(from), false)
				ch.Quiet()
			}
			ch.GetAll(dead)
		}})
	}
	return group{name: "x-death", scenarios: scenarios}
}
