package amqptest

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// vhost is one virtual host: a name space of exchanges and queues.
type vhost struct {
	b         *Broker
	name      string
	exchanges map[string]*exchange
	queues    map[string]*queue

	defaultType string // of queues that name none; empty for classic
	policies    map[string]*policy
}

func newVHost(b *Broker, name string) *vhost {
	v := &vhost{b: b, name: name, queues: make(map[string]*queue), policies: make(map[string]*policy)}
	predeclared := []struct {
		name, kind string
		internal   bool
	}{
		{"", "direct", false},
		{"amq.direct", "direct", false},
		{"amq.fanout", "fanout", false},
		{"amq.topic", "topic", false},
		{"amq.headers", "headers", false},
		{"amq.match", "headers", false},
		{"amq.rabbitmq.trace", "topic", true},
	}
	v.exchanges = make(map[string]*exchange, len(predeclared))
	for _, p := range predeclared {
		x := newExchange(v, p.name, p.kind)
		x.durable, x.internal = true, p.internal
		v.exchanges[p.name] = x
	}
	return v
}

// queueName is how exceptions speak of a queue, whether there is one or not.
func (v *vhost) queueName(name string) string {
	return "queue '" + name + "' in vhost '" + v.name + "'"
}

func (v *vhost) exchangeName(name string) string {
	return "exchange '" + name + "' in vhost '" + v.name + "'"
}

func (v *vhost) stopTimers() {
	for _, q := range v.queues {
		q.stopTimers()
	}
}

// VHost is a virtual host, for a test to inspect and change. If it does not exist, its
// methods find nothing, or return [ErrNotFound].
type VHost struct {
	b    *Broker
	name string
}

// VHost returns the virtual host of that name, whether it exists or not.
func (b *Broker) VHost(name string) *VHost { return &VHost{b, name} }

// VHosts returns the names of all virtual hosts, in order.
func (b *Broker) VHosts() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Sorted(maps.Keys(b.vhosts))
}

// AddVHost adds a virtual host, and reports whether it is new. Users of [WithUser] have all
// permissions in it; others need [Broker.SetPermissions].
func (b *Broker) AddVHost(name string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.vhosts[name] != nil {
		return false
	}
	b.vhosts[name] = newVHost(b, name)
	return true
}

// DeleteVHost removes a virtual host with all that is in it and closes its connections, as
// RabbitMQ does. It reports whether there was one.
func (b *Broker) DeleteVHost(name string) bool {
	b.lock()
	defer b.release()
	v := b.vhosts[name]
	if v == nil {
		return false
	}
	for _, q := range v.queues {
		q.delete()
	}
	delete(b.vhosts, name)
	for _, a := range b.users {
		delete(a.in, name)
	}
	b.closeConnections(fmt.Sprintf("vhost '%s' is deleted", name), func(c *connection) bool { return c.vhost == v })
	return true
}

// Name is the virtual host's name.
func (v *VHost) Name() string { return v.name }

// do runs f with the broker's lock held; false if the virtual host does not exist.
func (v *VHost) do(f func(*vhost)) bool {
	v.b.lock()
	defer v.b.release()
	in := v.b.vhosts[v.name]
	if in != nil {
		f(in)
	}
	return in != nil
}

// SetDefaultQueueType sets the type, classic or quorum, of queues that are declared without
// x-queue-type. A queue that is not durable, or is exclusive or auto-delete, stays classic.
// RabbitMQ has had default queue types since 3.11.
func (v *VHost) SetDefaultQueueType(kind string) error {
	if kind != "classic" && kind != "quorum" {
		return fmt.Errorf("amqptest: no queue is of type %q", kind)
	}
	if !v.do(func(in *vhost) { in.defaultType = kind }) {
		return v.missing()
	}
	return nil
}

func (v *VHost) missing() error { return fmt.Errorf("%w: virtual host %q", ErrNotFound, v.name) }

// Queue describes a queue; false if there is none.
func (v *VHost) Queue(name string) (info QueueInfo, ok bool) {
	v.do(func(in *vhost) {
		if q := in.queues[name]; q != nil {
			info, ok = q.info(), true
		}
	})
	return info, ok
}

// Queues returns all queues, by name.
func (v *VHost) Queues() (all []QueueInfo) {
	v.do(func(in *vhost) {
		for _, q := range in.queues {
			all = append(all, q.info())
		}
	})
	slices.SortFunc(all, func(a, b QueueInfo) int { return cmp.Compare(a.Name, b.Name) })
	return all
}

// Messages returns the ready messages of a queue, in the order of delivery. They stay in the
// queue.
func (v *VHost) Messages(queue string) (all []Message) {
	v.do(func(in *vhost) {
		q := in.queues[queue]
		if q == nil {
			return
		}
		q.dropExpired()
		all = make([]Message, 0, q.ready.n)
		q.ready.each(func(e *entry) { all = append(all, q.present(*e).public()) })
	})
	return all
}

// CancelConsumer cancels a consumer as a broker does when the queue's node fails: the client
// gets basic.cancel, and its unacknowledged deliveries stay with the channel. It reports
// whether there was such a consumer. If several have the same tag, it cancels the oldest.
func (v *VHost) CancelConsumer(queue, tag string) (found bool) {
	v.do(func(in *vhost) {
		q := in.queues[queue]
		if q == nil {
			return
		}
		i := slices.IndexFunc(q.consumers.all, func(c *consumer) bool { return c.tag == tag })
		if i < 0 {
			return
		}
		c := q.consumers.all[i]
		c.ch.lost(c)
		q.dropConsumer(c)
		found = true
	})
	return found
}

// What DeleteQueue may return besides [ErrNotFound].
var (
	ErrQueueNotEmpty = errors.New("amqptest: the queue is not empty")
	ErrQueueInUse    = errors.New("amqptest: the queue has consumers")
)

// Condition is a condition of [VHost.DeleteQueue].
type Condition uint8

// The conditions: the queue has no ready messages, or no consumers.
const (
	IfEmpty Condition = iota
	IfUnused
)

// DeleteQueue deletes a queue as an operator does. The error is [ErrNotFound], or
// [ErrQueueNotEmpty] or [ErrQueueInUse] if a condition is not met.
func (v *VHost) DeleteQueue(name string, conditions ...Condition) error {
	err := fmt.Errorf("%w: queue %q", ErrNotFound, name)
	v.do(func(in *vhost) {
		switch q := in.queues[name]; {
		case q == nil:
		case slices.Contains(conditions, IfEmpty) && q.ready.n > 0:
			err = ErrQueueNotEmpty
		case slices.Contains(conditions, IfUnused) && q.consumers.n > 0:
			err = ErrQueueInUse
		default:
			q.delete()
			err = nil
		}
	})
	return err
}

// PurgeQueue drops the ready messages of a queue and returns their number. The error is
// [ErrNotFound].
func (v *VHost) PurgeQueue(name string) (n int, err error) {
	err = fmt.Errorf("%w: queue %q", ErrNotFound, name)
	v.do(func(in *vhost) {
		if q := in.queues[name]; q != nil {
			n, err = q.purge(), nil
		}
	})
	return n, err
}
