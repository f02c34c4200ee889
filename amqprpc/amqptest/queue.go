package amqptest

import (
	"crypto/rand"
	"encoding/base64"
	"strings"
	"time"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/frame"
)

// queue holds messages and hands them to consumers. The broker's lock guards it.
type queue struct {
	vhost      *vhost
	name       string
	durable    bool
	autoDelete bool
	owner      *connection // of an exclusive queue; nil for any other
	args       frame.Table
	own        queueOptions // of the arguments
	opts       queueOptions // of the arguments and the policy
	policy     *policy      // nil for none
	deleted    bool

	incoming map[*binding]struct{}
	ready    readyList
	seq      uint64 // of the last message
	unacked  int

	consumers    consumerSet
	hadConsumers bool
	refusing     bool // a quorum queue refuses publishes until there is room

	ttlTimer    *time.Timer // drops messages at the head when they expire
	ttlAt       int64       // when ttlTimer fires; zero if it is not set
	expiryTimer *time.Timer // deletes an unused queue (x-expires)
	expiresAt   int64       // when expiryTimer fires

	visited uint64 // the number of the message that was last routed here
}

// randomName makes an unguessable name with a prefix.
func randomName(prefix string) string {
	var id [16]byte
	_, _ = rand.Read(id[:]) // never fails
	return prefix + "-" + base64.RawURLEncoding.EncodeToString(id[:])
}

func (ch *channel) declareQueue(m *frame.QueueDeclare) *exception {
	if strings.HasPrefix(m.Queue, replyToQueue) {
		return ch.declareReplies(m)
	}
	v := ch.c.vhost
	name := stripNewlines(m.Queue)
	v.defaultQueueType(m)
	if m.Passive {
		if ex := ch.mayLook(name, v.queueName); ex != nil {
			return ex
		}
	}
	q := v.queues[name]
	switch {
	case m.Passive && q == nil:
		return fail(notFound, "no %s", v.queueName(name))
	case m.Passive:
		if ex := q.access(ch.c); ex != nil {
			return ex
		}
	case strings.HasPrefix(name, "amq."):
		// Even if it exists.
		return fail(accessRefused, "queue name '%s' contains reserved prefix 'amq.*'", name)
	case q != nil && name != "":
		if ex := firstOf(ch.mayQueue(toConfigure, name), q.equivalent(ch.c, m)); ex != nil {
			return ex
		}
	default:
		var ex *exception
		if q, ex = ch.makeQueue(name, m); ex != nil {
			return ex
		}
	}
	ch.lastQueue = q.name
	q.restartExpiry()
	if !m.NoWait {
		ch.send(&frame.QueueDeclareOk{Queue: q.name,
			MessageCount: uint32(q.ready.n), ConsumerCount: uint32(q.consumers.n)})
	}
	return nil
}

// defaultQueueType adds the virtual host's type to a declaration that names none and whose
// queue could be of that type.
func (v *vhost) defaultQueueType(m *frame.QueueDeclare) {
	if _, named := m.Arguments.Lookup("x-queue-type"); named || v.defaultType == "" || m.Passive {
		return
	}
	if v.defaultType == "quorum" && (!m.Durable || m.Exclusive || m.AutoDelete) {
		return
	}
	m.Arguments = append(m.Arguments, frame.Field{Key: "x-queue-type", Value: v.defaultType})
}

// makeQueue creates a queue.
func (ch *channel) makeQueue(name string, m *frame.QueueDeclare) (*queue, *exception) {
	v := ch.c.vhost
	if name == "" {
		if kind, _ := m.Arguments.Lookup("x-queue-type"); kind == "quorum" {
			return nil, fail(preconditionFailed, "Cannot declare a server-named queue for type rabbit_quorum_queue")
		}
		name = randomName("amq.gen")
	}
	of := v.queueName(name)
	if ex := ch.mayQueue(toConfigure, name); ex != nil {
		return nil, ex
	}
	if v, ok := m.Arguments.Lookup("x-dead-letter-exchange"); ok {
		dlx, isString := v.(string)
		if !isString {
			return nil, fail(preconditionFailed, "invalid type '%s' for arg '%s' in %s",
				typeName(v), "x-dead-letter-exchange", of)
		}
		if ex := firstOf(ch.mayQueue(toRead, name), ch.mayExchange(toWrite, dlx)); ex != nil {
			return nil, ex
		}
	}
	q, ex := v.newQueue(name, m)
	if ex != nil {
		return nil, ex
	}
	if m.Exclusive {
		q.owner = ch.c
		ch.c.exclusive[q] = struct{}{}
	}
	v.queues[name] = q
	if v.b.recording() {
		v.b.emit(Event{Kind: QueueCreated, Connection: ch.c.name, ConnectionID: ch.c.id, Channel: ch.id, Queue: name}, nil)
	}
	return q, nil
}

// newQueue makes a queue that is not in the virtual host yet.
func (v *vhost) newQueue(name string, m *frame.QueueDeclare) (*queue, *exception) {
	of := v.queueName(name)
	opts, ex := parseQueueArguments(of, m.Arguments, v.b.cfg.follow)
	if ex != nil {
		return nil, ex
	}
	if opts.quorum {
		if ex := quorumProperties(of, m); ex != nil {
			return nil, ex
		}
	}
	q := &queue{
		vhost: v, name: name, durable: m.Durable && !m.Exclusive, autoDelete: m.AutoDelete,
		args: m.Arguments, own: opts,
		incoming: make(map[*binding]struct{}),
		ready:    newReadyList(opts.maxPriority),
	}
	q.applyPolicy()
	return q, nil
}

// quorumProperties refuses properties that a quorum queue cannot have.
func quorumProperties(of string, m *frame.QueueDeclare) *exception {
	switch {
	case m.AutoDelete:
		return fail(preconditionFailed, "invalid property 'auto-delete' for %s", of)
	case m.Exclusive:
		return fail(preconditionFailed, "invalid property 'exclusive-owner' for %s", of)
	case !m.Durable:
		return fail(preconditionFailed, "invalid property 'non-durable' for %s", of)
	}
	return nil
}

// access refuses a connection that is not the owner of an exclusive queue.
func (q *queue) access(c *connection) *exception {
	if q.owner != nil && q.owner != c {
		return q.locked()
	}
	return nil
}

func (q *queue) locked() *exception {
	return fail(resourceLocked, "cannot obtain exclusive access to locked %s. It could be originally "+
		"declared on another connection or the exclusive property value does not match that of the "+
		"original declaration.", q.fullName())
}

func (q *queue) fullName() string { return q.vhost.queueName(q.name) }

// equivalent checks a declaration of a queue that exists.
func (q *queue) equivalent(c *connection, m *frame.QueueDeclare) *exception {
	if m.Exclusive != (q.owner != nil) || q.owner != nil && q.owner != c {
		return q.locked()
	}
	of := q.fullName()
	if ex := sameFlag("durable", of, m.Durable && !m.Exclusive, q.durable); ex != nil {
		return ex
	}
	if ex := sameFlag("auto_delete", of, m.AutoDelete, q.autoDelete); ex != nil {
		return ex
	}
	for _, a := range c.b.cfg.follow.queueArguments() {
		if q.opts.quorum && !a.quorum || !q.opts.quorum && !a.classic {
			continue
		}
		received, current := m.Arguments, q.args
		if a.name == "x-queue-type" && c.b.since(RabbitMQ40) {
			received, current = withType(received), withType(current)
		}
		if ex := sameArgument(a.name, of, received, current); ex != nil {
			return ex
		}
	}
	return nil
}

func (ch *channel) deleteQueue(m *frame.QueueDelete) *exception {
	name, ex := ch.resolveQueue(m.Queue)
	if ex != nil {
		return ex
	}
	name = stripNewlines(name)
	if ex := ch.mayQueue(toConfigure, name); ex != nil {
		return ex
	}
	count := 0
	// Deleting what does not exist succeeds.
	if q := ch.c.vhost.queues[name]; q != nil {
		if ex := q.access(ch.c); ex != nil {
			return ex
		}
		switch {
		case q.opts.quorum && (m.IfUnused || m.IfEmpty):
			flag := "if-unused"
			if !m.IfUnused {
				flag = "if-empty"
			}
			return fail(notImplemented, "cannot delete %s. queue.delete operations with %s flag set "+
				"are not supported by quorum queues", q.fullName(), flag)
		case m.IfEmpty && q.ready.n > 0:
			return fail(preconditionFailed, "%s not empty", q.fullName())
		case m.IfUnused && q.consumers.n > 0:
			return fail(preconditionFailed, "%s in use", q.fullName())
		}
		count = q.ready.n
		q.delete()
	}
	if !m.NoWait {
		ch.send(&frame.QueueDeleteOk{MessageCount: uint32(count)})
	}
	return nil
}

func (ch *channel) purgeQueue(m *frame.QueuePurge) *exception {
	name, ex := ch.resolveQueue(m.Queue)
	if ex != nil {
		return ex
	}
	if ex := ch.mayQueue(toRead, name); ex != nil {
		return ex
	}
	q, ex := ch.queue(name)
	if ex != nil {
		return ex
	}
	count := q.purge()
	if !m.NoWait {
		ch.send(&frame.QueuePurgeOk{MessageCount: uint32(count)})
	}
	return nil
}

// purge drops all ready messages and returns their number.
func (q *queue) purge() int {
	count := q.ready.n
	for q.ready.n > 0 {
		q.pop()
	}
	return count
}

// delete removes the queue with its messages and bindings and tells its consumers.
func (q *queue) delete() {
	if q.deleted {
		return
	}
	q.deleted = true
	delete(q.vhost.queues, q.name)
	if q.owner != nil {
		delete(q.owner.exclusive, q)
	}
	q.stopTimers()
	q.purge()
	q.cancelConsumers()
	for bd := range q.incoming {
		bd.source.unbind(bd)
	}
	clear(q.incoming)
	if b := q.vhost.b; b.recording() {
		b.emit(Event{Kind: QueueDeleted, Queue: q.name}, nil)
	}
}

// pop takes the next message out.
func (q *queue) pop() entry {
	e := q.ready.pop()
	q.lose(e)
	return e
}

// lose subtracts a message that leaves the queue from the broker's memory.
func (q *queue) lose(e entry) { q.vhost.b.held -= e.msg.size() }

// publish adds a message. It returns false if the queue refuses the message.
func (q *queue) publish(m *message) bool {
	if q.refuses(m) {
		if q.opts.overflow == overflowRejectDLX {
			q.deadLetter(entry{msg: m}, deadMaxlen)
		}
		return false
	}
	if b := q.vhost.b; b.recording() {
		b.emit(Event{Kind: Routed, Queue: q.name}, m)
	}
	if q.opts.quorum {
		q.publishQuorum(m)
	} else {
		q.publishClassic(m)
	}
	return true
}

// publishClassic adds a message to a classic queue.
func (q *queue) publishClassic(m *message) {
	q.seq++
	e := q.entry(m)
	if c := q.waitingConsumer(); c != nil {
		e.redelivered = false // true only for a dead letter that was queued
		c.deliver(e)
		return
	}
	if q.opts.ttl == 0 && !q.opts.deadLetters {
		return // TTL 0: no consumer is ready, and the message must not wait
	}
	q.vhost.b.held += m.size()
	q.ready.push(e)
	q.dropOverflow()
	if q.ready.n > 0 && (q.ready.n == 1 || e.expires != 0) {
		q.dropExpired()
	}
}

// entry makes the queue's entry of a new message. Its time to live starts now, and goes on while
// a consumer has the message, because the message may be requeued.
func (q *queue) entry(m *message) entry {
	e := entry{msg: m, seq: q.seq, redelivered: m.delivered && q.vhost.b.since(RabbitMQ43)}
	if e.redelivered && q.opts.quorum {
		e.acquired, e.deliveries = 1, 1 // in the queue in which it died
	}
	if ttl := q.ttlOf(m); ttl >= 0 {
		e.expires = max(1, q.vhost.b.now()+ttl)
	}
	return e
}

// run hands ready messages to consumers until there are no more of either.
func (q *queue) run() {
	for q.ready.n > 0 && !q.deleted {
		q.dropExpired()
		if q.ready.n == 0 {
			return
		}
		c := q.nextConsumer()
		if c == nil {
			return
		}
		c.deliver(q.pop())
	}
}

// forgetTransient drops messages that are not persistent.
func (q *queue) forgetTransient() {
	kept := newReadyList(q.opts.maxPriority)
	for q.ready.n > 0 {
		e := q.pop()
		if e.msg.persisted || q.opts.quorum {
			kept.push(e)
			q.vhost.b.held += e.msg.size()
		}
	}
	q.ready = kept
}

// goOn applies the length limits and delivers messages, after messages were requeued or consumers
// have room again.
func (q *queue) goOn() {
	switch {
	case q.deleted:
	case q.opts.quorum:
		q.run()
		q.keepQuorumLimits()
	case q.ready.n > 0:
		q.dropOverflow()
		q.run()
	}
}

// requeue returns a message to the queue that a consumer refused or lost.
func (q *queue) requeue(e entry, how verdict) {
	if q.opts.quorum {
		q.requeueQuorum(e, how)
		return
	}
	if q.deleted {
		return
	}
	e.redelivered = true
	if how != requeued {
		e.deliveries++
	}
	q.vhost.b.held += e.msg.size()
	q.ready.putBack(e)
}
