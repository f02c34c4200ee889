package amqptest

import (
	"slices"
	"strings"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/frame"
)

// router finds the queues of one message after another. It is the broker's, and
// keeps its memory from one message to the next.
type router struct {
	serial uint64 // of the message: what has been visited for it is marked with it
	queues []*queue
	work   []*exchange
	tried  map[topicStep]struct{} // where a pattern with more than one # has been
}

// begin forgets the last message.
func (r *router) begin() {
	r.serial++
	clear(r.queues)
	r.queues, r.work = r.queues[:0], r.work[:0]
}

// reach notes a queue, once.
func (r *router) reach(q *queue) {
	if q.visited != r.serial {
		q.visited = r.serial
		r.queues = append(r.queues, q)
	}
}

// follow takes a binding.
func (r *router) follow(bd *binding) {
	if bd.queue != nil {
		r.reach(bd.queue)
		return
	}
	r.enter(bd.target)
}

func (r *router) enter(x *exchange) {
	if x != nil && x.visited != r.serial {
		x.visited = r.serial
		r.work = append(r.work, x)
	}
}

// route returns the queues that a message reaches from x, each once, by name.
// The slice is valid until the next call.
func (b *Broker) route(x *exchange, m *message) []*queue {
	r := &b.router
	r.begin()
	r.enter(x)
	for len(r.work) > 0 {
		x := r.work[len(r.work)-1]
		r.work = r.work[:len(r.work)-1]
		if !x.routeOne(r, m) && x.alternate != "" {
			r.enter(x.vhost.exchanges[x.alternate])
		}
	}
	if len(r.queues) > 1 {
		slices.SortFunc(r.queues, func(a, b *queue) int { return strings.Compare(a.name, b.name) })
	}
	return r.queues
}

// routeOne takes the bindings of one exchange; true if there was one to take,
// even to where the message has been already.
func (x *exchange) routeOne(r *router, m *message) bool {
	if x.name == "" {
		return x.routeDefault(r, m)
	}
	var headers frame.Table
	if x.kind == "headers" {
		headers = m.headers()
	}
	found := x.bindings.table.match(r, m.key, headers)
	for _, key := range m.extra {
		if x.bindings.table.match(r, []byte(key), headers) {
			found = true
		}
	}
	return found
}

// routeDefault finds queues by name, and the consumers of direct replies.
func (x *exchange) routeDefault(r *router, m *message) bool {
	q := x.vhost.queues[string(m.key)]
	if q != nil {
		r.reach(q)
	}
	for _, key := range m.extra {
		if q := x.vhost.queues[key]; q != nil {
			r.reach(q)
		}
	}
	return len(r.queues) > 0
}

// table finds the bindings that a message takes and hands them to the router.
type table interface {
	add(bd *binding)
	remove(bd *binding)
	match(r *router, key []byte, headers frame.Table) bool
}

func newTable(kind string) table {
	switch kind {
	case "direct":
		return directTable{}
	case "topic":
		return &topicTable{}
	case "headers":
		return headersTable{}
	}
	return fanoutTable{}
}

// directTable compares routing keys.
type directTable map[string][]*binding

func (t directTable) add(bd *binding) { t[bd.key] = append(t[bd.key], bd) }

func (t directTable) remove(bd *binding) {
	rest := slices.DeleteFunc(t[bd.key], func(o *binding) bool { return o == bd })
	if len(rest) == 0 {
		delete(t, bd.key)
		return
	}
	t[bd.key] = rest
}

func (t directTable) match(r *router, key []byte, _ frame.Table) bool {
	found := t[string(key)]
	for _, bd := range found {
		r.follow(bd)
	}
	return len(found) > 0
}

// fanoutTable takes every binding.
type fanoutTable map[*binding]struct{}

func (t fanoutTable) add(bd *binding)    { t[bd] = struct{}{} }
func (t fanoutTable) remove(bd *binding) { delete(t, bd) }

func (t fanoutTable) match(r *router, _ []byte, _ frame.Table) bool {
	for bd := range t {
		r.follow(bd)
	}
	return len(t) > 0
}
