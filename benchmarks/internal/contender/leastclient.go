package contender

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"sync"
	"time"
)

const (
	leastReplyPrefetch = 2000
	leastReplyAck      = leastReplyPrefetch / 4 // replies that are acknowledged together
)

// leastClient publishes and consumes replies on one channel. A caller that finds nobody
// writing writes its own request, and then what others have added meanwhile.
type leastClient struct {
	*leastConn
	payload   *payload
	queues    []string
	replyTo   string
	manualAck bool

	template []byte // the properties of a request up to its reply queue
	times    int    // where in the template rpc-deadline is
	ids      int    // where in the template the correlation id is

	mu      sync.Mutex
	out     []byte
	spare   []byte // owned by who writes
	writing bool
	scratch []byte // the properties of one request
	number  uint32 // of the last call
	slots   []*leastSlot
	free    []*leastSlot
	err     error

	// Owned by the reader:
	unacked int
	waited  bool // calls waited at the last tick, and nothing has come since

	ended chan struct{}
}

// leastSlot is where a call waits.
type leastSlot struct {
	id      leastID
	woken   chan struct{}
	waiting bool   // guarded by mu
	lost    bool   // with the connection
	reply   []byte // owned by the reader while waiting, then by the caller
}

// leastID is a correlation id: what nobody can guess, the index of the slot, and the number of
// the call, both in hex.
type leastID [16 + 4 + 8]byte

const (
	slotAt   = 16
	numberAt = 20
	maxSlots = 1 << 16
)

func dialLeastClient(o Options, p *payload) (Client, error) {
	conn, err := dialLeast(o.URL)
	if err != nil {
		return nil, err
	}
	c := &leastClient{leastConn: conn, payload: p, queues: o.queues(), ended: make(chan struct{})}
	if err := c.consume(o); err != nil {
		conn.conn.Close()
		return nil, err
	}
	c.prepare(o)
	go func() {
		defer close(c.ended)
		c.fail(c.read())
	}()
	return c, nil
}

// consume declares the reply queue and consumes it.
func (c *leastClient) consume(o Options) error {
	const durable, exclusive, autoDelete, noAck = 2, 4, 8, 2
	declare := appendMethod(nil, queueDeclare, uint16(0), "", byte(exclusive|autoDelete), []byte(nil))
	consume := byte(noAck)
	switch o.Reply {
	case "", "resumable":
		c.manualAck, consume = true, 0
		declare = appendMethod(nil, queueDeclare, uint16(0), "amqprpc.reply."+rand.Text(), byte(durable),
			leastTable(fieldName("x-expires"), int64(60_000)))
	case "exclusive":
	default:
		return fmt.Errorf("the reply mode %q is neither resumable nor exclusive", o.Reply)
	}
	args, err := c.ask(declare, queueDeclareOk)
	if err != nil {
		return fmt.Errorf("declare the reply queue: %w", err)
	}
	c.replyTo = string(args.short())
	if _, err := c.ask(appendMethod(nil, basicQos, uint32(0), uint16(leastReplyPrefetch), byte(0)), basicQosOk); err != nil {
		return fmt.Errorf("set the prefetch: %w", err)
	}
	if _, err := c.ask(appendMethod(nil, basicConsume, uint16(0), c.replyTo, "", consume, []byte(nil)), basicConsumeOk); err != nil {
		return fmt.Errorf("consume %s: %w", c.replyTo, err)
	}
	if o.Unconfirmed {
		return nil
	}
	if _, err := c.ask(appendMethod(nil, confirmSelect, byte(0)), confirmSelectOk); err != nil {
		return fmt.Errorf("ask for confirms: %w", err)
	}
	return nil
}

// prepare encodes what is the same in all requests.
func (c *leastClient) prepare(o Options) {
	flags := flagContentType | flagHeaders | flagCorrelationID | flagReplyTo | flagExpiration | flagMessageID
	if o.Persistent {
		flags |= flagDeliveryMode
	}
	t := binary.BigEndian.AppendUint16(nil, uint16(flags))
	t = appendShort(t, c.payload.contentType)
	headers := leastTable(fieldName("rpc-batches"), true, fieldName("rpc-deadline"), int64(0))
	t = appendLong(t, headers)
	c.times = len(t) - 8
	if o.Persistent {
		t = append(t, o.deliveryMode())
	}
	var id leastID
	t = appendShort(t, id[:])
	c.ids = len(t) - len(id)
	c.template = appendShort(t, c.replyTo)
}

// Call implements Client.
func (c *leastClient) Call(ctx context.Context, n int) error {
	body, err := c.payload.encode(n)
	if err != nil {
		return err
	}
	now := time.Now()
	deadline, ok := ctx.Deadline()
	if !ok {
		deadline = now.Add(CallTimeout)
	}
	queue := c.queues[n%len(c.queues)]
	c.mu.Lock()
	s, err := c.slot()
	if err != nil {
		c.mu.Unlock()
		return fmt.Errorf("call %s: %w", queue, err)
	}
	c.append(s, queue, body, deadline, deadline.Sub(now))
	if !c.writing {
		c.write()
	}
	c.mu.Unlock()
	err = c.wait(ctx, s)
	switch {
	case err != nil:
		err = fmt.Errorf("call %s: %w", queue, err)
	case !bytes.Equal(s.reply, body): // the server echoes the bytes
		err = errWrongAnswer
	}
	c.mu.Lock()
	c.free = append(c.free, s)
	c.mu.Unlock()
	return err
}

// slot returns a slot for a new call. It is called with mu.
func (c *leastClient) slot() (*leastSlot, error) {
	if c.err != nil {
		return nil, c.err
	}
	var s *leastSlot
	if n := len(c.free); n > 0 {
		s, c.free = c.free[n-1], c.free[:n-1]
	} else {
		if len(c.slots) == maxSlots {
			return nil, errors.New("too many calls in flight")
		}
		s = &leastSlot{woken: make(chan struct{}, 1)}
		copy(s.id[:], rand.Text())
		hex.Encode(s.id[slotAt:], binary.BigEndian.AppendUint16(nil, uint16(len(c.slots))))
		c.slots = append(c.slots, s)
	}
	c.number++
	var number [4]byte
	binary.BigEndian.PutUint32(number[:], c.number)
	hex.Encode(s.id[numberAt:], number[:])
	s.waiting = true
	return s, nil
}

// append appends a request to out. It is called with mu.
func (c *leastClient) append(s *leastSlot, queue string, body []byte, deadline time.Time, left time.Duration) {
	p := append(c.scratch[:0], c.template...)
	binary.BigEndian.PutUint64(p[c.times:], uint64(deadline.UnixMilli()))
	copy(p[c.ids:], s.id[:])
	var room [20]byte
	p = appendShort(p, strconv.AppendInt(room[:0], max(1, (left+time.Millisecond-1).Milliseconds()), 10))
	p = appendShort(p, s.id[:])
	c.scratch = p
	c.out = appendMessage(c.out, queue, p, body)
}

// write writes until out is empty. It is called with mu, and gives it up meanwhile. It yields
// first, so that callers whose replies came together write together, too.
func (c *leastClient) write() {
	c.writing = true
	defer func() { c.writing = false }()
	c.mu.Unlock()
	runtime.Gosched()
	c.mu.Lock()
	for len(c.out) > 0 {
		frames := c.out
		c.out = c.spare[:0]
		c.mu.Unlock()
		_, _ = c.conn.Write(frames) // an error is the end of the connection, which the reader learns
		c.mu.Lock()
		c.spare = frames
	}
}

// wait waits for the reply or the end of ctx.
func (c *leastClient) wait(ctx context.Context, s *leastSlot) error {
	select {
	case <-s.woken:
	case <-ctx.Done():
		c.mu.Lock()
		gaveUp := s.waiting
		s.waiting = false
		c.mu.Unlock()
		if gaveUp {
			return ctx.Err()
		}
		<-s.woken
	}
	if s.lost {
		return c.err
	}
	return nil
}

// read takes what the broker sends until the connection ends.
func (c *leastClient) read() error {
	c.tick()
	for {
		m, ok := c.take()
		if !ok {
			if err := c.fill(); errors.Is(err, os.ErrDeadlineExceeded) && !c.waited {
				c.tick()
			} else if err != nil {
				return err
			}
			continue
		}
		c.waited = false
		switch m.id {
		case basicAck: // a confirm
		case basicDeliver:
			c.receive(&m)
		case connectionCloseOk:
			return errConnectionLost
		default:
			return m.surprise()
		}
	}
}

// tick begins a time in which something must come if calls wait now. Callers would otherwise
// wait for ever for a server that has failed.
func (c *leastClient) tick() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waited = len(c.free) < len(c.slots) || c.err != nil // closed: the answer is late
	_ = c.conn.SetReadDeadline(time.Now().Add(CallTimeout))
}

// receive hands a reply, or each reply of a batch, to its caller.
func (c *leastClient) receive(m *leastMethod) {
	if c.manualAck {
		c.acknowledge(m)
	}
	p := m.properties.properties()
	if string(p.contentType) != leastBatch {
		c.answer(p.correlationID, m.body)
		return
	}
	for batch := leastFields(m.body); len(batch) > 0; {
		properties := leastFields(batch.long())
		c.answer(properties.properties().correlationID, batch.long())
	}
}

// acknowledge acknowledges replies now and then. The frame goes with the next request.
func (c *leastClient) acknowledge(m *leastMethod) {
	if c.unacked++; c.unacked < leastReplyAck {
		return
	}
	c.unacked = 0
	args := m.args
	args.short() // the consumer
	tag := args.number(8)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.out = appendAck(c.out, tag)
}

// answer wakes a caller. It ignores a reply that nobody waits for.
func (c *leastClient) answer(id, body []byte) {
	var slot [2]byte
	if len(id) != len(leastID{}) {
		return
	}
	if _, err := hex.Decode(slot[:], id[slotAt:numberAt]); err != nil {
		return
	}
	index := int(binary.BigEndian.Uint16(slot[:]))
	c.mu.Lock()
	if index >= len(c.slots) || !c.slots[index].waiting || !bytes.Equal(c.slots[index].id[:], id) {
		c.mu.Unlock()
		return
	}
	s := c.slots[index]
	s.waiting = false
	s.reply = append(s.reply[:0], body...)
	c.mu.Unlock()
	s.woken <- struct{}{}
}

// fail ends the calls in flight with the connection.
func (c *leastClient) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil {
		c.err = err
	}
	for _, s := range c.slots {
		if s.waiting {
			s.waiting, s.lost = false, true
			s.woken <- struct{}{}
		}
	}
	c.conn.Close()
}

// Close implements Client.
func (c *leastClient) Close() error {
	c.mu.Lock()
	failed := c.err
	c.err = errConnectionLost
	c.mu.Unlock()
	var last []byte
	if c.manualAck {
		last = appendMethod(nil, queueDelete, uint16(0), c.replyTo, byte(4)) // without an answer
	}
	c.close(last, c.ended)
	return failed
}
