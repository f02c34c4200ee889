package contender

import (
	"context"
	"fmt"
)

const (
	leastBatch   = "application/vnd.amqprpc.replies"
	leastBatched = 32 << 10 // bytes of a batch, as in the framework
)

// leastServer serves all its queues on one channel and one goroutine. It answers what a read
// brought with one write: the replies, and one acknowledgement. The replies to one client go
// in a batch, which every client of Least understands.
type leastServer struct {
	*leastConn
	work       Work
	properties []byte // of a reply, without its correlation id
	ofBatch    []byte // the properties of a batch
	out        []byte
	scratch    []byte                   // the properties of one reply
	replies    map[string]*leastReplies // by queue
	waiting    []*leastReplies
	tag        uint64 // of the last request; 0 if it is acknowledged
	consumers  int    // that the broker has not confirmed
	ready      chan struct{}
	ended      chan struct{}
	err        error // valid once ended is closed
}

// leastReplies are the replies to a queue that wait for the write.
type leastReplies struct {
	to    string
	count int
	body  []byte // of a batch
}

func serveLeast(o Options, p *payload, work Work) (Server, error) {
	conn, err := dialLeast(o.URL)
	if err != nil {
		return nil, err
	}
	s := &leastServer{
		leastConn: conn, work: work, replies: make(map[string]*leastReplies),
		properties: appendShort([]byte{(flagContentType | flagCorrelationID) >> 8, 0}, p.contentType),
		ofBatch:    appendShort([]byte{flagContentType >> 8, 0}, leastBatch),
		ready:      make(chan struct{}), ended: make(chan struct{}),
	}
	if err := s.consume(o); err != nil {
		conn.conn.Close()
		return nil, err
	}
	go func() {
		defer close(s.ended)
		s.err = s.serve()
		s.conn.Close()
	}()
	select {
	case <-s.ready:
		return s, nil
	case <-s.ended:
		return nil, fmt.Errorf("consume: %w", s.err)
	}
}

// consume declares the queues and asks for their consumers. The confirmations come with the
// first requests.
func (s *leastServer) consume(o Options) error {
	var args []byte
	if o.QueueType != "" {
		args = leastTable(fieldName("x-queue-type"), o.QueueType)
	}
	const durable = 2
	for _, q := range o.served() {
		if _, err := s.ask(appendMethod(nil, queueDeclare, uint16(0), q, byte(durable), args), queueDeclareOk); err != nil {
			return fmt.Errorf("declare %s: %w", q, err)
		}
	}
	prefetch := leastPrefetch
	if o.Concurrency > 0 {
		prefetch = o.Concurrency
	}
	if _, err := s.ask(appendMethod(nil, basicQos, uint32(0), uint16(prefetch), byte(0)), basicQosOk); err != nil {
		return fmt.Errorf("set the prefetch: %w", err)
	}
	var frames []byte
	for _, q := range o.served() {
		frames = appendMethod(frames, basicConsume, uint16(0), q, q, byte(0), []byte(nil))
		s.consumers++
	}
	_, err := s.conn.Write(frames)
	return err
}

// serve answers requests until the connection ends.
func (s *leastServer) serve() error {
	for {
		m, ok := s.take()
		if !ok {
			if err := s.flush(); err != nil {
				return err
			}
			if err := s.fill(); err != nil {
				return err
			}
			continue
		}
		switch m.id {
		case basicDeliver:
			s.answer(&m)
		case basicReturn: // the client is gone
		case basicConsumeOk:
			if s.consumers--; s.consumers == 0 {
				close(s.ready)
			}
		case connectionCloseOk:
			return nil
		default:
			return m.surprise()
		}
	}
}

// answer runs the handler and keeps the reply for the write.
func (s *leastServer) answer(m *leastMethod) {
	s.work(context.Background())
	m.args.short() // the consumer
	s.tag = m.args.number(8)
	p := m.properties.properties()
	r := s.replies[string(p.replyTo)]
	if r == nil {
		r = &leastReplies{to: string(p.replyTo)}
		s.replies[r.to] = r
	}
	if r.count > 0 && len(r.body)+len(m.body) > leastBatched {
		s.publish(r)
	}
	if r.count == 0 {
		s.waiting = append(s.waiting, r)
	}
	r.count++
	s.scratch = appendShort(append(s.scratch[:0], s.properties...), p.correlationID)
	r.body = appendLong(r.body, s.scratch)
	r.body = appendLong(r.body, m.body)
}

// publish appends a batch, or its only reply.
func (s *leastServer) publish(r *leastReplies) {
	switch r.count {
	case 0:
	case 1:
		reply := leastFields(r.body)
		properties := reply.long()
		s.out = appendMessage(s.out, r.to, properties, reply.long())
	default:
		s.out = appendMessage(s.out, r.to, s.ofBatch, r.body)
	}
	r.count, r.body = 0, r.body[:0]
}

// flush writes the replies, and after them the acknowledgement of their requests.
func (s *leastServer) flush() error {
	for _, r := range s.waiting {
		s.publish(r)
	}
	s.waiting = s.waiting[:0]
	if s.tag > 0 {
		s.out = appendAck(s.out, s.tag)
	}
	if len(s.out) == 0 {
		return nil
	}
	_, err := s.conn.Write(s.out)
	s.out, s.tag = s.out[:0], 0
	return err
}

// Close implements Server.
func (s *leastServer) Close() error {
	s.close(nil, s.ended)
	return s.err
}
