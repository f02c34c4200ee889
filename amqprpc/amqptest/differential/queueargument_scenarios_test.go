package differential

func queueArgumentScenarios() group {
	var scenarios []scenario
	large := int64(1) << 40 // no constant, so that this also compiles where an int has 32 bits
	for _, a := range []struct {
		name string
		args Table
	}{
		{"message-ttl-zero", Table{"x-message-ttl": 0}},
		{"message-ttl-negative", Table{"x-message-ttl": -1}},
		{"message-ttl-string", Table{"x-message-ttl": "1000"}},
		{"message-ttl-float", Table{"x-message-ttl": 1.5}},
		{"message-ttl-too-large", Table{"x-message-ttl": int(large)}},
		{"message-ttl-octet", Table{"x-message-ttl": int8(100)}},
		{"expires-zero", Table{"x-expires": 0}},
		{"expires-negative", Table{"x-expires": -5}},
		{"expires-string", Table{"x-expires": "soon"}},
		{"max-length-zero", Table{"x-max-length": 0}},
		{"max-length-negative", Table{"x-max-length": -1}},
		{"max-length-string", Table{"x-max-length": "1"}},
		{"max-length-bytes-negative", Table{"x-max-length-bytes": -1}},
		{"overflow-unknown", Table{"x-overflow": "explode"}},
		{"overflow-number", Table{"x-overflow": 1}},
		{"overflow-reject-publish-dlx", Table{"x-overflow": "reject-publish-dlx", "x-max-length": 1}},
		{"max-priority-zero", Table{"x-max-priority": 0}},
		{"max-priority-255", Table{"x-max-priority": 255}},
		{"max-priority-256", Table{"x-max-priority": 256}},
		{"max-priority-negative", Table{"x-max-priority": -1}},
		{"max-priority-string", Table{"x-max-priority": "high"}},
		{"dead-letter-exchange-number", Table{"x-dead-letter-exchange": 1}},
		{"dead-letter-exchange-missing", Table{"x-dead-letter-exchange": "nowhere"}},
		{"dead-letter-key-without-exchange", Table{"x-dead-letter-routing-key": "k"}},
		{"dead-letter-key-number", Table{"x-dead-letter-exchange": "", "x-dead-letter-routing-key": 1}},
		{"single-active-consumer-string", Table{"x-single-active-consumer": "yes"}},
		{"queue-mode-lazy", Table{"x-queue-mode": "lazy"}},
		{"queue-mode-unknown", Table{"x-queue-mode": "eager"}},
		{"queue-version-2", Table{"x-queue-version": 2}},
		{"queue-version-3", Table{"x-queue-version": 3}},
		{"queue-type-classic", Table{"x-queue-type": "classic"}},
		{"queue-type-unknown", Table{"x-queue-type": "heap"}},
		{"queue-type-number", Table{"x-queue-type": 1}},
		{"queue-type-quorum-not-durable", Table{"x-queue-type": "quorum"}},
		{"master-locator-unknown", Table{"x-queue-master-locator": "nearest"}},
		{"unknown-argument", Table{"x-nothing-known": Table{"a": []any{1, "2"}}}},
		{"delivery-limit-on-classic", Table{"x-delivery-limit": 3}},
		{"several", Table{"x-message-ttl": 60000, "x-expires": 120000, "x-max-length": 10, "x-max-length-bytes": 1000,
			"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "k", "x-max-priority": 3, "x-overflow": "drop-head"}},
	} {
		scenarios = append(scenarios, scenario{a.name, func(s *S) {
			ch := s.Dial().Channel()
			ch.Queue(s.N("q"), a.args)
			ch.Queue(s.N("q"), a.args) // equal to itself, where it was taken at all
		}})
	}
	return group{name: "queue-arguments", scenarios: scenarios}
}
