package amqptest

import (
	"slices"
	"time"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/frame"
)

// Why a message is dead, as x-death says it
// (https://www.rabbitmq.com/docs/dlx).
const (
	deadExpired  = "expired"
	deadRejected = "rejected"
	deadMaxlen   = "maxlen"
	deadLimit    = "delivery_limit"
)

// deadLetter publishes a message that left the queue without being consumed to
// the queue's dead-letter exchange, if it has one that exists. Otherwise
// the message is gone.
func (q *queue) deadLetter(e entry, reason string) {
	m := e.msg
	b := q.vhost.b
	if b.recording() {
		b.emit(Event{Kind: Died, Queue: q.name, Reason: reason}, m)
	}
	if !q.opts.deadLetters || q.deleted {
		return
	}
	x := q.vhost.exchanges[q.opts.dlx]
	if x == nil {
		return
	}
	dead := q.deadMessage(m, x, reason)
	dead.delivered = m.delivered || e.deliveries > 0
	if x.name == "" {
		_ = b.routeReplies(dead)
	}
	// The routing that led here may not be done with its queues.
	outer := b.router
	b.router = router{serial: outer.serial}
	for _, target := range b.route(x, dead) {
		if reason != deadRejected && cycles(dead, target.name) {
			b.cfg.log.Warn("message dropped: dead-letter queues cycle", "queue", target.name)
			continue
		}
		target.publish(dead)
	}
	outer.serial = b.router.serial
	b.router = outer
}

// deadMessage is the message as the dead-letter exchange gets it: with its history
// in x-death and without its expiration.
func (q *queue) deadMessage(m *message, x *exchange, reason string) *message {
	var p frame.Properties
	_ = p.Parse(m.props) // it was parsed when it came
	headers, _ := frame.ParseTable(p.Headers)
	keys := []any{string(m.key)}
	for _, k := range copyKeys(headers) {
		keys = append(keys, k)
	}
	info := frame.Table{
		{Key: "count", Value: int64(1)},
		{Key: "reason", Value: reason},
		{Key: "queue", Value: q.name},
		{Key: "time", Value: frame.Timestamp(time.Now().Unix())},
		{Key: "exchange", Value: string(m.exchange)},
		{Key: "routing-keys", Value: keys},
	}
	if p.Has(frame.FlagExpiration) {
		info = append(info, frame.Field{Key: "original-expiration", Value: string(p.Expiration)})
	}
	since40 := q.vhost.b.since(RabbitMQ40)
	if since40 {
		headers = addDeath40(headers, info, m.died)
	} else {
		headers = addDeath(headers, info)
	}
	dead := &message{exchange: x.nameBytes, key: m.key, extra: m.extra, body: m.body,
		ttl: -1, priority: m.priority, persisted: m.persisted, died: true}
	if q.opts.hasDLXKey {
		dead.key, dead.extra = []byte(q.opts.dlxKey), nil
		if !since40 {
			headers = without(headers, "CC")
		}
	}
	p.Headers = frame.AppendFields(nil, headers)
	p.Expiration = nil
	p.Flags = p.Flags&^frame.FlagExpiration | frame.FlagHeaders
	dead.props = p.Append(nil)
	return dead
}

// copyKeys are the routing keys of the CC header.
func copyKeys(headers frame.Table) []string {
	v, _ := headers.Lookup("CC")
	list, _ := v.([]any)
	var keys []string
	for _, item := range list {
		if s, ok := item.(string); ok {
			keys = append(keys, s)
		}
	}
	return keys
}

// addDeath records a death: in the entry of the same queue and reason if there
// is one, which moves to the front, else in a new one before the others.
func addDeath(headers, info frame.Table) frame.Table {
	v, had := headers.Lookup("x-death")
	deaths, valid := v.([]any)
	if !had {
		headers = setField(headers, "x-first-death-reason", field(info, "reason"))
		headers = setField(headers, "x-first-death-queue", field(info, "queue"))
		headers = setField(headers, "x-first-death-exchange", field(info, "exchange"))
	}
	if !had || !valid {
		return setField(headers, "x-death", []any{info})
	}
	var others []any
	merged := info
	for _, d := range groupDeaths(deaths) {
		t, _ := d.(frame.Table)
		if !sameDeath(t, info) {
			others = append(others, d)
			continue
		}
		n, _ := integer(field(t, "count")) // a client may have sent any width
		merged = setField(t, "count", n+1)
	}
	sorted := sortedFields(merged)
	return setField(headers, "x-death", append([]any{sorted}, others...))
}

// sameDeath reports whether two entries are of the same queue and reason.
func sameDeath(a, b frame.Table) bool {
	return sameTerm(field(a, "queue"), field(b, "queue")) && sameTerm(field(a, "reason"), field(b, "reason"))
}

// groupDeaths makes one entry of those of the same queue and reason, which only clients
// write, and turns the order around. One that has no count gets one.
func groupDeaths(deaths []any) []any {
	if len(deaths) < 2 {
		return deaths
	}
	var grouped []any
	for i, d := range deaths {
		t, _ := d.(frame.Table)
		same := func(o any) bool {
			u, _ := o.(frame.Table)
			return sameDeath(t, u)
		}
		if slices.ContainsFunc(deaths[:i], same) {
			continue
		}
		if _, counted := t.Lookup("count"); !counted {
			n := 0
			for _, o := range deaths {
				if same(o) {
					n++
				}
			}
			t = setField(t, "count", int64(n))
		}
		grouped = append(grouped, t)
	}
	slices.Reverse(grouped)
	return grouped
}

// addDeath40 does the same as RabbitMQ 4.0: what a client wrote into x-death
// counts for nothing, the others keep their order, and the last death has
// headers of its own.
func addDeath40(headers, info frame.Table, died bool) frame.Table {
	var deaths []any
	if died {
		deaths, _ = field(headers, "x-death").([]any)
	} else {
		for _, part := range []string{"reason", "queue", "exchange"} {
			headers = setField(headers, "x-first-death-"+part, field(info, part))
		}
	}
	merged := info
	others := make([]any, 0, len(deaths))
	for _, d := range deaths {
		t, _ := d.(frame.Table)
		if field(t, "queue") != field(info, "queue") || field(t, "reason") != field(info, "reason") {
			others = append(others, d)
			continue
		}
		n, _ := field(t, "count").(int64)
		merged = setField(setField(t, "count", n+1), "time", field(info, "time"))
	}
	for _, part := range []string{"reason", "queue", "exchange"} {
		headers = setField(headers, "x-last-death-"+part, field(info, part))
	}
	return setField(headers, "x-death", append([]any{merged}, others...))
}

func field(t frame.Table, key string) any {
	v, _ := t.Lookup(key)
	return v
}

// setField is t with key set to v, by name.
func setField(t frame.Table, key string, v any) frame.Table {
	t = append(frame.Table(nil), t...)
	for i := range t {
		if t[i].Key == key {
			t[i].Value = v
			sortTable(t)
			return t
		}
	}
	t = append(t, frame.Field{Key: key, Value: v})
	sortTable(t)
	return t
}

// cycles reports whether a dead message would come to a queue in which it has
// died already, without a consumer having rejected it on the way.
func cycles(dead *message, queue string) bool {
	deaths, _ := field(dead.headers(), "x-death").([]any)
	for _, d := range deaths {
		t, _ := d.(frame.Table)
		if field(t, "reason") == deadRejected {
			return false
		}
		if field(t, "queue") == queue {
			return true
		}
	}
	return false
}
