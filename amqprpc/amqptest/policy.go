package amqptest

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strings"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/frame"
)

// Policy sets arguments of the queues and exchanges whose names match
// (https://www.rabbitmq.com/docs/policies). If several policies match a name, only the one
// with the highest priority applies.
type Policy struct {
	Name     string
	Pattern  string // a regular expression, found anywhere in the name
	ApplyTo  string // all, queues, classic_queues, quorum_queues or exchanges; empty is all
	Priority int

	// Definition is message-ttl, expires, max-length, max-length-bytes, overflow,
	// dead-letter-exchange, dead-letter-routing-key and delivery-limit for queues, and
	// alternate-exchange for exchanges. Numbers are of any type of Go's.
	Definition map[string]any
}

// policy is a Policy, understood.
type policy struct {
	Policy
	pattern   *regexp.Regexp
	queues    queueOptions
	alternate string
}

// policyKeys are the keys that mean something, and which argument each stands for. Others
// that RabbitMQ knows are taken and ignored.
var policyKeys = map[string]string{
	"message-ttl": "x-message-ttl", "expires": "x-expires", "max-length": "x-max-length",
	"max-length-bytes": "x-max-length-bytes", "overflow": "x-overflow", "delivery-limit": "x-delivery-limit",
	"dead-letter-exchange": "x-dead-letter-exchange", "dead-letter-routing-key": "x-dead-letter-routing-key",
	"alternate-exchange": "alternate-exchange",
	"queue-mode":         "", "queue-version": "", "queue-leader-locator": "", "queue-master-locator": "",
	"ha-mode": "", "ha-params": "", "ha-sync-mode": "", "ha-sync-batch-size": "", "ha-promote-on-shutdown": "", "ha-promote-on-failure": "",
	"max-in-memory-length": "", "max-in-memory-bytes": "", "dead-letter-strategy": "", "target-group-size": "",
	"consumer-timeout": "", "max-age": "", "stream-max-segment-size-bytes": "",
	"federation-upstream": "", "federation-upstream-set": "",
}

// SetPolicy adds a policy to the virtual host, or replaces the one of that name. The policy
// applies at once, but queued messages keep their time to live. The error says what is wrong
// with the policy, or is [ErrNotFound].
func (v *VHost) SetPolicy(p Policy) error {
	parsed, err := parsePolicy(p)
	if err != nil {
		return fmt.Errorf("amqptest: policy %q: %w", p.Name, err)
	}
	if !v.do(func(in *vhost) {
		in.policies[p.Name] = parsed
		in.applyPolicies()
	}) {
		return v.missing()
	}
	return nil
}

// DeletePolicy removes a policy, and reports whether there was one.
func (v *VHost) DeletePolicy(name string) (found bool) {
	v.do(func(in *vhost) {
		_, found = in.policies[name]
		delete(in.policies, name)
		in.applyPolicies()
	})
	return found
}

// Policies returns the virtual host's policies, by name.
func (v *VHost) Policies() (all []Policy) {
	v.do(func(in *vhost) {
		for _, name := range slices.Sorted(maps.Keys(in.policies)) {
			p := in.policies[name].Policy
			p.Definition = maps.Clone(p.Definition)
			all = append(all, p)
		}
	})
	return all
}

func parsePolicy(p Policy) (*policy, error) {
	if p.ApplyTo == "" {
		p.ApplyTo = "all"
	}
	if !slices.Contains([]string{"all", "queues", "classic_queues", "quorum_queues", "exchanges"}, p.ApplyTo) {
		return nil, fmt.Errorf("it cannot apply to %q", p.ApplyTo)
	}
	if len(p.Definition) == 0 {
		return nil, fmt.Errorf("it defines nothing")
	}
	parsed := &policy{Policy: p, queues: noOptions()}
	parsed.Definition = maps.Clone(p.Definition)
	var err error
	if parsed.pattern, err = regexp.Compile(p.Pattern); err != nil {
		return nil, err
	}
	var args frame.Table
	for _, key := range slices.Sorted(maps.Keys(p.Definition)) {
		name, known := policyKeys[key]
		if !known {
			return nil, fmt.Errorf("%q is not known", key)
		}
		if name == "" {
			continue
		}
		value, err := policyValue(p.Definition[key])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", key, err)
		}
		if name == "alternate-exchange" {
			if parsed.alternate, known = value.(string); !known {
				return nil, fmt.Errorf("%s is no string", key)
			}
			continue
		}
		args = append(args, frame.Field{Key: name, Value: value})
	}
	for _, a := range queueArguments {
		value, ok := args.Lookup(a.name)
		check := a.check
		if a.name == "x-delivery-limit" {
			check = checkInteger
		}
		if ok && check != nil && a.name != "x-dead-letter-routing-key" {
			if wrong := check(value, args); wrong != "" {
				return nil, fmt.Errorf("%s: %s", strings.TrimPrefix(a.name, "x-"), wrong)
			}
		}
	}
	parsed.queues.read(args)
	return parsed, nil
}

// policyValue is a value of a definition as it stands in a field table.
func policyValue(v any) (any, error) {
	switch v := v.(type) {
	case string:
		return v, nil
	case int:
		return int64(v), nil
	case float64: // of JSON
		if v == math.Trunc(v) && math.Abs(v) < 1<<53 {
			return int64(v), nil
		}
	}
	if n, ok := integer(v); ok {
		return n, nil
	}
	return nil, fmt.Errorf("%v is neither a whole number nor a string", v)
}

// policyFor is the policy that counts for a name, nil for none.
func (v *vhost) policyFor(name string, kinds ...string) *policy {
	var best *policy
	for _, p := range v.policies {
		if !slices.Contains(kinds, p.ApplyTo) || !p.pattern.MatchString(name) {
			continue
		}
		if best == nil || cmp.Or(cmp.Compare(p.Priority, best.Priority), cmp.Compare(best.Name, p.Name)) > 0 {
			best = p
		}
	}
	return best
}

// applyPolicies looks anew at everything in the virtual host.
func (v *vhost) applyPolicies() {
	for _, x := range v.exchanges {
		x.applyPolicy()
	}
	for _, q := range slices.Collect(maps.Values(v.queues)) {
		q.applyPolicy()
		switch {
		case q.opts.quorum:
			q.keepQuorumLimits()
		default:
			q.dropOverflow()
		}
		q.restartExpiry()
	}
}

func (x *exchange) applyPolicy() {
	x.policy = x.vhost.policyFor(x.name, "all", "exchanges")
	x.alternate = x.ownAlternate
	if x.policy != nil && x.alternate == "" {
		x.alternate = x.policy.alternate
	}
}

// applyPolicy sets the queue's options: of limits the lower one counts, of the rest what
// the queue was declared with.
func (q *queue) applyPolicy() {
	kind := "classic_queues"
	if q.own.quorum {
		kind = "quorum_queues"
	}
	q.policy = q.vhost.policyFor(q.name, "all", "queues", kind)
	o := q.own
	if q.policy != nil {
		p := &q.policy.queues
		o.ttl = lower(o.ttl, p.ttl)
		o.maxLength = lower(o.maxLength, p.maxLength)
		o.maxBytes = lower(o.maxBytes, p.maxBytes)
		o.limit = lower(o.limit, p.limit)
		if p.expires > 0 && (o.expires == 0 || p.expires < o.expires) {
			o.expires = p.expires
		}
		if o.overflow == "" {
			o.overflow = p.overflow
		}
		if !o.deadLetters {
			o.deadLetters, o.dlx = p.deadLetters, p.dlx
		}
		if !o.hasDLXKey {
			o.hasDLXKey, o.dlxKey = p.hasDLXKey, p.dlxKey
		}
	}
	q.opts = o.complete(q.vhost.b.cfg.follow)
}

// lower is the lower of two limits, of which a negative one is none.
func lower(a, b int64) int64 {
	if a < 0 || b >= 0 && b < a {
		return b
	}
	return a
}
