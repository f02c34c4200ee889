package amqptest

import "sort"

// entry is a message in a queue, or out of it with a consumer.
type entry struct {
	msg         *message
	seq         uint64 // its place: the order in which the queue took it
	expires     int64  // on the broker's clock; zero for never
	deliveries  uint32 // how often it came back in a way that counts
	acquired    uint32 // how often it was handed out and came back
	redelivered bool
}

// readyList holds a queue's ready messages, for each priority in the order in
// which they came, whatever has been taken out and put back meanwhile.
type readyList struct {
	levels []level // by priority, the lowest first; one for a queue without
	n      int
	bytes  int64 // of bodies
}

// level is one priority's messages. Those that came back go into returned, by
// place. All of them precede those in fresh, because messages leave in order.
type level struct {
	returned deque[entry]
	fresh    deque[entry]
}

func newReadyList(maxPriority int) readyList {
	return readyList{levels: make([]level, maxPriority+1)}
}

// level is that of a message.
func (l *readyList) level(m *message) *level {
	return &l.levels[min(int(m.priority), len(l.levels)-1)]
}

func (l *readyList) push(e entry) {
	l.level(e.msg).fresh.pushBack(e)
	l.n++
	l.bytes += int64(len(e.msg.body))
}

// putBack puts an entry where it was.
func (l *readyList) putBack(e entry) {
	r := &l.level(e.msg).returned
	switch {
	case r.n == 0 || r.at(r.n-1).seq < e.seq:
		r.pushBack(e)
	default:
		r.insert(sort.Search(r.n, func(i int) bool { return r.at(i).seq > e.seq }), e)
	}
	l.n++
	l.bytes += int64(len(e.msg.body))
}

// putBackLast queues a returned entry behind the others that came back, and
// before all fresh ones: the order of a quorum queue.
func (l *readyList) putBackLast(e entry) {
	l.level(e.msg).returned.pushBack(e)
	l.n++
	l.bytes += int64(len(e.msg.body))
}

// first is the list that has the next message, nil for none.
func (l *readyList) first() *deque[entry] {
	for i := len(l.levels) - 1; i >= 0 && l.n > 0; i-- {
		if lv := &l.levels[i]; lv.returned.n > 0 {
			return &lv.returned
		} else if lv.fresh.n > 0 {
			return &lv.fresh
		}
	}
	return nil
}

// head is the next message without taking it; nil for none.
func (l *readyList) head() *entry {
	if d := l.first(); d != nil {
		return d.at(0)
	}
	return nil
}

// pop takes the next message; there must be one.
func (l *readyList) pop() entry {
	e := l.first().popFront()
	l.n--
	l.bytes -= int64(len(e.msg.body))
	return e
}

// each visits all messages in order.
func (l *readyList) each(visit func(*entry)) {
	for i := len(l.levels) - 1; i >= 0; i-- {
		for _, d := range []*deque[entry]{&l.levels[i].returned, &l.levels[i].fresh} {
			for j := range d.n {
				visit(d.at(j))
			}
		}
	}
}
