package amqptest

import (
	mathrand "math/rand/v2"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// Broker is an AMQP 0-9-1 broker. It listens when [NewBroker] returns, and keeps nothing
// after [Broker.Close].
type Broker struct {
	cfg      config
	rules    atomic.Pointer[[]*rule]
	epoch    time.Time // of the broker's clock
	nodeHash string    // of the made-up node in direct reply-to addresses
	creation uint32    // … and which of its lives this is
	wg       sync.WaitGroup
	pressed  atomic.Bool  // publishers are blocked, for whatever reason
	arriving atomic.Int64 // bytes of messages that have not arrived whole

	// mu guards the core: everything below, and every virtual host, exchange,
	// queue, consumer and channel. Its sections are short and never wait.
	mu        sync.Mutex
	listeners []*listener
	vhosts    map[string]*vhost
	users     map[string]*account
	conns     map[*connection]struct{}
	abandoned []net.Conn // half-open ones that only the client still believes in
	closed    bool

	router    router
	records   []*Record
	replies   map[string]*replyConsumer // by address
	toWake    []*outbox                 // outboxes that have frames and a sleeping writer
	toConfirm []*channel                // channels that owe confirms
	held      int64                     // bytes of queued messages
	full      bool                      // publishers are blocked: too much is held
	raised    [alarms]bool              // … or a test raised an alarm
	blocking  string                    // … or blocked them, for this reason
	refusing  bool                      // new connections
	frozen    Direction                 // what of every connection
	unblock   sync.Cond                 // of readers that a blocked connection has stopped
	free      *unacked                  // a list of entries for reuse
	batch     []*unacked                // memory for an acknowledgement of several
	serial    uint64                    // numbers connections and consumers
}

// NewBroker starts a broker on a free port of 127.0.0.1. It panics if no port is free. The
// caller closes the broker.
func NewBroker(opts ...Option) *Broker {
	b, err := start(newConfig(opts))
	if err != nil {
		panic(err)
	}
	return b
}

// Listen starts a broker on addr, "host:port". The error is that of the listener.
func Listen(addr string, opts ...Option) (*Broker, error) {
	cfg := newConfig(opts)
	cfg.addr, cfg.listen = addr, true
	return start(cfg)
}

func start(cfg config) (*Broker, error) {
	b := &Broker{
		cfg:      cfg,
		epoch:    time.Now(),
		vhosts:   make(map[string]*vhost, len(cfg.vhosts)),
		users:    make(map[string]*account, len(cfg.users)),
		conns:    make(map[*connection]struct{}),
		replies:  make(map[string]*replyConsumer),
		nodeHash: strconv.Itoa(10_000_000 + mathrand.IntN(90_000_000)),
		creation: mathrand.Uint32(),
	}
	b.unblock.L = &b.mu
	for _, name := range cfg.vhosts {
		b.vhosts[name] = newVHost(b, name)
	}
	for name, password := range cfg.users {
		b.users[name] = &account{name: name, password: password, tags: []string{"administrator"},
			in: make(map[string]*permissions), everywhere: cfg.permissions[name]}
	}
	b.listeners = cfg.listeners()
	if err := b.listen(); err != nil {
		b.wg.Wait()
		return nil, err
	}
	return b, nil
}

// serve starts a connection's goroutines, or closes nc if the broker is closed
// or refuses.
func (b *Broker) serve(nc net.Conn) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed || b.refusing {
		_ = nc.Close()
		return false
	}
	b.serial++
	c := newConnection(b, nc, b.serial)
	b.conns[c] = struct{}{}
	c.freeze(b.frozen)
	b.wg.Go(c.read)
	b.wg.Go(c.write)
	return true
}

// closeGrace is how long Close waits for clients to answer connection.close.
const closeGrace = 200 * time.Millisecond

// Close tells every client that the broker shuts down (320 CONNECTION_FORCED), closes the
// listeners and every connection, and returns when the broker's goroutines have ended. All
// queues and messages are gone. Close may be called more than once.
func (b *Broker) Close() error {
	b.mu.Lock()
	b.closed = true
	err := b.closePorts()
	b.mu.Unlock()
	b.lock()
	for c := range b.conns {
		c.raise(0, shutdown())
	}
	b.release()
	impatient := time.AfterFunc(closeGrace, b.hangUp)
	b.wg.Wait()
	impatient.Stop()
	b.mu.Lock()
	for _, v := range b.vhosts {
		v.stopTimers()
	}
	for _, nc := range b.abandoned {
		_ = nc.Close()
	}
	b.abandoned = nil
	for _, r := range b.records {
		r.end()
	}
	b.records = nil
	b.mu.Unlock()
	return err
}

// hangUp closes every connection without another word.
func (b *Broker) hangUp() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for c := range b.conns {
		c.drop()
	}
}

// lock and release bracket every change of the core that does not come from a
// connection's reader, which releases only after a batch.
func (b *Broker) lock() { b.mu.Lock() }

func (b *Broker) release() {
	b.flush()
	b.mu.Unlock()
}

// flush sends the confirms that are owed and wakes the writers that have work.
// The broker's lock is held.
func (b *Broker) flush() {
	for i, ch := range b.toConfirm {
		ch.sendConfirms()
		b.toConfirm[i] = nil
	}
	b.toConfirm = b.toConfirm[:0]
	b.checkMemory()
	for i, o := range b.toWake {
		o.queued = false
		o.notify()
		b.toWake[i] = nil
	}
	b.toWake = b.toWake[:0]
}

// now is the broker's clock: nanoseconds since it started. It never goes back.
func (b *Broker) now() int64 { return int64(time.Since(b.epoch)) }
