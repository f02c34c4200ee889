package amqptest

import (
	"cmp"
	"slices"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/frame"
)

// consumer takes messages from one queue to one channel.
type consumer struct {
	ch        *channel
	q         *queue
	tag       string
	tagBytes  []byte // the same, for frames
	noAck     bool
	exclusive bool
	priority  int64
	prefetch  int // deliveries that may be unacknowledged; zero for no limit
	unacked   int
	args      frame.Table

	order  uint64 // consumers with a lower number are older
	queued bool   // it waits for a message in its queue's list
	parked bool   // it was skipped, because it could take no message
	gone   bool
}

// consumerSet is a queue's consumers. Consumers wait in turn, by priority. A consumer that
// cannot take a message when its turn comes is parked until it can.
type consumerSet struct {
	n      int
	all    []*consumer // the oldest first
	lists  []waiting   // by priority, the highest first
	parked []*consumer // in the order of parking
	active *consumer   // the exclusive one, or the single active one
}

type waiting struct {
	priority int64
	turn     deque[*consumer]
}

func (s *consumerSet) list(priority int64) *deque[*consumer] {
	i, found := slices.BinarySearchFunc(s.lists, priority, func(w waiting, p int64) int {
		switch {
		case w.priority > p:
			return -1
		case w.priority < p:
			return 1
		}
		return 0
	})
	if !found {
		s.lists = slices.Insert(s.lists, i, waiting{priority: priority})
	}
	return &s.lists[i].turn
}

// await puts a consumer last in line.
func (s *consumerSet) await(c *consumer) {
	if !c.queued {
		c.queued = true
		s.list(c.priority).pushBack(c)
	}
}

// park puts a consumer that cannot take a message last in the parked list.
func (s *consumerSet) park(c *consumer) {
	if !c.parked {
		c.parked = true
		s.parked = append(s.parked, c)
	}
}

// unpark puts parked consumers for which mine is true back in line if they can take a message.
// It keeps the order of parking, so that the consumer that has waited longest is next. It
// reports whether it moved one.
func (s *consumerSet) unpark(mine func(*consumer) bool) bool {
	before := len(s.parked)
	s.parked = slices.DeleteFunc(s.parked, func(c *consumer) bool {
		if !mine(c) || !c.ready() {
			return false
		}
		c.parked = false
		s.await(c)
		return true
	})
	return len(s.parked) < before
}

func (s *consumerSet) add(c *consumer) {
	s.n++
	s.all = append(s.all, c)
	s.await(c)
}

func (s *consumerSet) remove(c *consumer) {
	c.gone = true
	if c.ch.c.b.recording() {
		c.ch.emit(Event{Kind: ConsumerEnded, Queue: c.q.name, Consumer: c.tag}, nil)
	}
	s.n--
	s.all = slices.DeleteFunc(s.all, func(o *consumer) bool { return o == c })
	if c.queued {
		s.list(c.priority).removeFunc(func(o *consumer) bool { return o == c })
		c.queued = false
	}
	if c.parked {
		s.parked = slices.DeleteFunc(s.parked, func(o *consumer) bool { return o == c })
		c.parked = false
	}
	if s.active == c {
		s.active = nil
	}
}

// nextConsumer returns the consumer whose turn it is, and moves it to the end of the line. It
// returns nil if no consumer can take a message.
func (q *queue) nextConsumer() *consumer {
	s := &q.consumers
	if q.opts.single {
		return s.ifReady(s.active)
	}
	for i := range s.lists {
		turn := &s.lists[i].turn
		for turn.n > 0 {
			c := turn.popFront()
			if c.ready() {
				turn.pushBack(c)
				return c
			}
			c.queued = false
			s.park(c)
		}
	}
	return nil
}

// waitingConsumer returns a consumer for a message that need not be queued, nil for none.
func (q *queue) waitingConsumer() *consumer {
	if q.ready.n > 0 {
		return nil
	}
	return q.nextConsumer()
}

// ready reports whether the consumer can take a message now.
func (c *consumer) ready() bool {
	ch := c.ch
	if ch.c.isStalled() || ch.limit > 0 && ch.inFlight >= ch.limit {
		return false
	}
	return c.noAck || c.prefetch == 0 || c.unacked < c.prefetch
}

func (s *consumerSet) ifReady(c *consumer) *consumer {
	if c == nil {
		return nil
	}
	if !c.ready() {
		s.park(c)
		return nil
	}
	return c
}

// unpark puts a parked consumer back in line if it can take a message.
func (c *consumer) unpark() {
	if c.parked {
		c.q.consumers.unpark(func(o *consumer) bool { return o == c })
	}
}

func (ch *channel) qos(m *frame.BasicQos) *exception {
	if m.PrefetchSize != 0 {
		return fail(notImplemented, "prefetch_size!=0 (%d)", m.PrefetchSize)
	}
	ch.send(&frame.BasicQosOk{})
	if m.Global && !ch.c.b.since(RabbitMQ43) { // since 4.3 global is ignored
		ch.limit = int(m.PrefetchCount)
		if ch.limit > 0 {
			ch.inFlight = ch.unacked.n
		}
	} else {
		// The limit of the whole channel is lifted too.
		ch.prefetch, ch.limit = int(m.PrefetchCount), 0
	}
	ch.unparkAll()
	return nil
}

// unparkAll lets the channel's parked consumers take messages again. The queues take turns to
// be first, because the channel's prefetch may allow one more message only.
func (ch *channel) unparkAll() {
	var queues []*queue
	for _, c := range ch.ordered() {
		if c.parked && !slices.Contains(queues, c.q) {
			queues = append(queues, c.q)
		}
	}
	if len(queues) == 0 {
		return
	}
	ch.firstQueue++
	first := ch.firstQueue % len(queues)
	for _, q := range append(queues[first:], queues[:first]...) {
		if q.consumers.unpark(func(c *consumer) bool { return c.ch == ch }) {
			q.run()
		}
	}
}

// ordered returns the channel's consumers, the oldest first.
func (ch *channel) ordered() []*consumer {
	list := make([]*consumer, 0, len(ch.consumers))
	for _, c := range ch.consumers {
		list = append(list, c)
	}
	slices.SortFunc(list, func(a, b *consumer) int { return cmp.Compare(a.order, b.order) })
	return list
}

func (ch *channel) consume(m *frame.BasicConsume) *exception {
	name, ex := ch.resolveQueue(m.Queue)
	if ex != nil {
		return ex
	}
	if _, used := ch.consumers[m.ConsumerTag]; used {
		return fail(notAllowed, "attempt to reuse consumer tag '%s'", m.ConsumerTag)
	}
	if name == replyToQueue {
		return ch.consumeReplies(m)
	}
	if ex := ch.mayQueue(toRead, name); ex != nil {
		return ex
	}
	q, ex := ch.queue(name)
	if ex != nil {
		return ex
	}
	c := &consumer{ch: ch, q: q, tag: m.ConsumerTag, noAck: m.NoAck, exclusive: m.Exclusive,
		prefetch: ch.prefetch, args: m.Arguments}
	if ex := c.configure(); ex != nil {
		return ex
	}
	if c.tag == "" {
		c.tag = randomName("amq.ctag")
	}
	ch.c.b.serial++
	c.order, c.tagBytes = ch.c.b.serial, []byte(c.tag)
	ch.consumers[c.tag] = c
	q.hadConsumers = true
	q.consumers.add(c)
	if c.exclusive && !q.opts.quorum || q.opts.single && q.consumers.active == nil {
		q.consumers.active = c
	}
	if !m.NoWait {
		ch.send(&frame.BasicConsumeOk{ConsumerTag: c.tag})
	}
	if ch.c.b.recording() {
		ch.emit(Event{Kind: ConsumerStarted, Queue: q.name, Consumer: c.tag}, nil)
	}
	q.run()
	return nil
}

// configure reads a consumer's arguments and checks that the queue can have it.
func (c *consumer) configure() *exception {
	q := c.q
	of := q.fullName()
	if q.opts.quorum && c.ch.limit > 0 {
		return fail(notImplemented, "%s does not support global qos", of)
	}
	if v, ok := c.args.Lookup("x-priority"); ok {
		if wrong := checkInteger(v, nil); wrong != "" {
			return fail(preconditionFailed, "invalid arg 'x-priority' for %s: %s", of, wrong)
		}
		c.priority, _ = integer(v)
	}
	if v, ok := c.args.Lookup("x-cancel-on-ha-failover"); ok {
		if q.opts.quorum {
			return fail(preconditionFailed, "invalid arg 'x-cancel-on-ha-failover' for %s of queue type rabbit_quorum_queue", of)
		}
		if wrong := checkBool(v, nil); wrong != "" {
			return fail(preconditionFailed, "invalid arg 'x-cancel-on-ha-failover' for %s: %s", of, wrong)
		}
	}
	active := q.consumers.active
	if q.opts.quorum {
		return nil // RabbitMQ's quorum queues ignore exclusive
	}
	if q.opts.single && c.exclusive ||
		!q.opts.single && (active != nil || c.exclusive && q.consumers.n > 0) {
		return fail(accessRefused, "%s in exclusive use", of)
	}
	return nil
}

func (ch *channel) cancel(m *frame.BasicCancel) *exception {
	if ch.replies != nil && ch.replies.tag == m.ConsumerTag {
		ch.replies.forget()
		ch.replies = nil
	}
	c := ch.consumers[m.ConsumerTag]
	if c != nil {
		delete(ch.consumers, c.tag)
	}
	// Nothing is delivered to the consumer after the answer, and cancelling what
	// does not exist succeeds.
	if !m.NoWait {
		ch.send(&frame.BasicCancelOk{ConsumerTag: m.ConsumerTag})
	}
	if c != nil {
		c.q.dropConsumer(c)
	}
	return nil
}

// dropConsumer removes a consumer from its queue. An auto-delete queue goes with its last one.
func (q *queue) dropConsumer(c *consumer) {
	if c.gone {
		return
	}
	q.consumers.remove(c)
	if q.opts.single && q.consumers.active == nil {
		q.promote()
	}
	if q.autoDelete && q.hadConsumers && q.consumers.n == 0 {
		q.delete()
		return
	}
	q.restartExpiry()
	q.run()
}

// promote makes the next consumer in line the single active one: by priority
// and turn, or in a quorum queue the one that came first.
func (q *queue) promote() {
	if q.opts.quorum {
		if len(q.consumers.all) > 0 {
			q.consumers.active = q.consumers.all[0]
		}
		return
	}
	for i := range q.consumers.lists {
		if turn := &q.consumers.lists[i].turn; turn.n > 0 {
			q.consumers.active = *turn.at(0)
			return
		}
	}
}

// cancelConsumers cancels the consumers of a deleted queue.
func (q *queue) cancelConsumers() {
	for _, c := range slices.Clone(q.consumers.all) {
		q.consumers.remove(c)
		c.ch.lost(c)
	}
}

// lost removes a consumer that the broker cancels, and sends basic.cancel to a client that
// understands it.
func (ch *channel) lost(c *consumer) {
	delete(ch.consumers, c.tag)
	if ch.c.knowsCancel && !ch.closing {
		ch.send(&frame.BasicCancel{ConsumerTag: c.tag, NoWait: true})
	}
}

// dropConsumers takes a closing channel's consumers off their queues and
// returns those queues.
func (ch *channel) dropConsumers() []*queue {
	var queues []*queue
	for _, c := range ch.ordered() {
		delete(ch.consumers, c.tag)
		if c.gone {
			continue
		}
		c.q.consumers.remove(c)
		if !slices.Contains(queues, c.q) {
			queues = append(queues, c.q)
		}
	}
	return queues
}

// deliver hands a message to the client.
func (c *consumer) deliver(e entry) {
	ch := c.ch
	ch.tags++
	redelivered := e.redelivered
	if !c.noAck {
		c.unacked++
		ch.inFlight++
		ch.addUnacked(e, c.q, c)
	}
	if ch.c.b.recording() {
		ch.emit(Event{Kind: Delivered, Queue: c.q.name, Consumer: c.tag, Tag: ch.tags, Redelivered: redelivered}, e.msg)
	}
	ch.c.deliver(ch.id, &frame.BasicDeliver{
		ConsumerTag: c.tagBytes, DeliveryTag: ch.tags, Redelivered: redelivered,
		Exchange: e.msg.exchange, RoutingKey: e.msg.key,
	}, c.q.present(e))
}

// isStalled reports whether the client reads too slowly. The connection's consumers get nothing
// until the writer has caught up.
func (c *connection) isStalled() bool {
	if c.stalled.Load() {
		return true
	}
	if c.out.size.Load() < stallAt {
		return false
	}
	c.stalled.Store(true)
	// The writer may have caught up before it could see the mark.
	if c.out.size.Load() < resumeAt {
		c.stalled.Store(false)
		return false
	}
	return true
}

// resumeConsumers runs in the writer when it has caught up.
func (c *connection) resumeConsumers() {
	c.b.lock()
	defer c.b.release()
	c.stalled.Store(false)
	for _, ch := range c.channels {
		ch.unparkAll()
	}
}
