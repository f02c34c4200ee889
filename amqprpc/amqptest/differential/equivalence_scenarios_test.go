package differential

import (
	"fmt"
	"time"
)

// equivalenceScenarios declare a queue again with an argument of another type.
func equivalenceScenarios() group {
	var scenarios []scenario
	as := map[string]any{
		"float64": 10.0, "float32": float32(10), "fraction": 10.5, "byte": int8(10), "octet": uint8(10), "short": int16(10),
		"unsigned": uint32(10), "string": "10", "bytes": []byte("10"), "bool": true, "time": time.Unix(10, 0),
		"decimal": Decimal{0, 10}, "void": nil, "array": []any{10}, "table": Table{"n": 10}, "other": 11,
	}
	again := func(name string, value any, others map[string]any, more Table, fields M) scenario {
		return scenario{name, func(s *S) {
			c := s.Dial()
			declare := func(v any) {
				if c.closed { // the last value was too much for the broker
					c = s.Dial()
				}
				args := Table{name: v}
				for k, w := range more {
					args[k] = w
				}
				c.Channel().Call("queue.declare", with(fields, M{"queue": s.N("q"), "arguments": args}))
			}
			declare(value)
			for _, kind := range sortedKeys(others) {
				s.Note("as %s", kind)
				declare(others[kind])
			}
			s.Note("without")
			if c.closed {
				c = s.Dial()
			}
			c.Channel().Call("queue.declare", with(fields, M{"queue": s.N("q"), "arguments": Table(more)}))
		}}
	}
	for _, name := range []string{"x-message-ttl", "x-max-length", "x-max-length-bytes", "x-max-priority"} {
		scenarios = append(scenarios, again(name, 10, as, nil, nil))
	}
	long := map[string]any{"float64": 600000.0, "float32": float32(600000), "string": "600000", "signed": int32(600000), "other": 600001}
	scenarios = append(scenarios,
		again("x-expires", 600000, long, nil, nil),
		again("x-queue-version", 1, map[string]any{"float64": 1.0, "string": "1", "bool": true}, nil, nil),
		again("x-single-active-consumer", true, map[string]any{"int": 1, "string": "true", "false": false}, nil, nil),
		again("x-overflow", "drop-head", map[string]any{"bytes": []byte("drop-head"), "int": 1, "other": "reject-publish"}, nil, nil),
		again("x-dead-letter-exchange", "dlx", map[string]any{"bytes": []byte("dlx"), "int": 1, "float": 1.5, "table": Table{"a": "b"}}, nil, nil),
		again("x-unknown", 10, as, nil, nil),
	)
	quorum, durable := Table{"x-queue-type": "quorum"}, M{"durable": true}
	for _, name := range []string{"x-delivery-limit", "x-max-in-memory-length", "x-max-in-memory-bytes", "x-quorum-initial-group-size"} {
		sc := again(name, 10, as, quorum, durable)
		scenarios = append(scenarios, scenario{"quorum-" + name, sc.run})
	}
	for _, name := range []string{"x-consumer-timeout", "x-quorum-target-group-size", "x-max-age", "x-queue-leader-locator"} {
		value := any(600000)
		if name == "x-queue-leader-locator" {
			value = "balanced"
		}
		scenarios = append(scenarios, again(name, value, long, nil, nil))
		sc := again(name, value, long, quorum, durable)
		scenarios = append(scenarios, scenario{"quorum-" + name, sc.run})
	}
	for _, name := range []string{"x-message-ttl", "x-max-length"} {
		sc := again(name, 10, as, quorum, durable)
		scenarios = append(scenarios, scenario{"quorum-" + name, sc.run})
	}
	for name, values := range map[string][]any{
		"x-expires": {600000}, "x-message-ttl": {600000}, "x-max-length": {10}, "x-max-length-bytes": {10},
		"x-dead-letter-exchange": {"dlx"}, "x-dead-letter-strategy": {"at-most-once", "at-least-once"},
		"x-max-in-memory-length": {10}, "x-max-in-memory-bytes": {10}, "x-max-priority": {5}, "x-overflow": {"reject-publish"},
		"x-queue-mode": {"lazy"}, "x-queue-version": {2}, "x-single-active-consumer": {true}, "x-quorum-initial-group-size": {1},
		"x-quorum-target-group-size": {1}, "x-queue-leader-locator": {"balanced", "client-local", "random", "nearest", 1},
		"x-delivery-limit": {5, -1, "5", 1.5}, "x-max-age": {"1h"}, "x-stream-max-segment-size-bytes": {100}, "x-initial-cluster-size": {1},
		"x-consumer-timeout": {600000, 0, -1, "1", 1.5}, "x-consumer-disconnected-timeout": {600000}, "x-delayed-retry-type": {"all"},
		"x-stream-filter-size-bytes": {32}, "x-cancel-on-ha-failover": {true}, "x-ha-policy": {"all"}, "x-priority": {1},
	} {
		scenarios = append(scenarios, scenario{"allowed-" + name, func(s *S) {
			c := s.Dial()
			for i, v := range values {
				for _, kind := range []string{"classic", "quorum"} {
					c.Channel().Call("queue.declare", M{"queue": s.N(fmt.Sprint(kind, i)), "durable": true,
						"arguments": Table{"x-queue-type": kind, name: v}})
				}
			}
		}})
	}
	scenarios = append(scenarios, scenario{"floats-in-print", func(s *S) {
		c := s.Dial()
		c.Channel().Queue(s.N("q"), Table{"x-max-length": 10})
		for _, f := range []float64{0, -1, 0.1, 1e5, 123456789, 1e10, 1e15, 1e16, 1e21, 1e22, 1.5e-5, 0.001, 1e100, 123456.789} {
			c.Channel().Queue(s.N("q"), Table{"x-max-length": f})
		}
		c.Channel().Queue(s.N("q"), Table{"x-max-length": float32(0.1)})
	}})
	for i, v := range []any{10.0, float32(10), int8(10)} {
		scenarios = append(scenarios, scenario{fmt.Sprintf("consumer-priority-%d", i), func(s *S) {
			ch := s.Dial().Channel()
			q := ch.Queue(s.N("q"))
			ch.Consume(q, "c", M{"arguments": Table{"x-priority": v}})
		}})
	}
	return group{name: "equivalence", scenarios: scenarios}
}
