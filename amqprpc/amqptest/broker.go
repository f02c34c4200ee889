package amqptest

import (
	"crypto/tls"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"net"
	"net/url"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// Broker is an AMQP 0-9-1 broker that listens when [NewBroker] returns and
// forgets everything when it is closed.
type Broker struct {
	cfg      config
	rules    atomic.Pointer[[]*rule]
	epoch    time.Time // of the broker's clock
	nodeHash string    // of the made-up node in direct reply-to addresses
	creation uint32    // … and which of its lives this is
	wg       sync.WaitGroup
	pressed  atomic.Bool  // publishers are blocked, for whatever reason
	arriving atomic.Int64 // octets of messages that have not arrived whole

	// mu guards the core: everything below, and every virtual host, exchange,
	// queue, consumer and channel. Its sections are short and never wait.
	mu        sync.Mutex
	listener  net.Listener // nil without one; the last one after it was closed
	vhosts    map[string]*vhost
	conns     map[*connection]struct{}
	abandoned []net.Conn // half-open ones that only the client still believes in
	closed    bool

	router    router
	records   []*Record
	replies   map[string]*replyConsumer // by address
	toWake    []*outbox                 // outboxes that have frames and a sleeping writer
	toConfirm []*channel                // channels that owe confirms
	held      int64                     // octets of queued messages
	alarm     bool                      // publishers are blocked: too much is held
	blocking  string                    // … or a test said so, for this reason
	refusing  bool                      // new connections
	frozen    Direction                 // what of every connection
	unblock   sync.Cond                 // of readers that a blocked connection has stopped
	free      *unacked                  // a list of entries for reuse
	batch     []*unacked                // memory for an acknowledgement of several
	serial    uint64                    // numbers connections and consumers
}

// NewBroker starts a broker on a free port of 127.0.0.1 and panics if there is
// none. Callers close it.
func NewBroker(opts ...Option) *Broker {
	b, err := start(newConfig(opts))
	if err != nil {
		panic(err)
	}
	return b
}

// Listen starts a broker on addr, "host:port", and says why if it cannot.
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
		conns:    make(map[*connection]struct{}),
		replies:  make(map[string]*replyConsumer),
		nodeHash: strconv.Itoa(10_000_000 + mathrand.IntN(90_000_000)),
		creation: mathrand.Uint32(),
	}
	b.unblock.L = &b.mu
	for _, name := range cfg.vhosts {
		b.vhosts[name] = newVHost(b, name)
	}
	if cfg.listen {
		addr := cfg.addr
		if host, port, err := net.SplitHostPort(addr); err == nil && host == "" {
			// To listen on every interface somebody must write 0.0.0.0.
			addr = net.JoinHostPort("127.0.0.1", port)
		}
		l, err := net.Listen("tcp", addr)
		if err != nil {
			return nil, fmt.Errorf("amqptest: listen: %w", err)
		}
		l = b.secure(l)
		b.listener = l
		b.wg.Go(func() { b.accept(l) })
	}
	return b, nil
}

// Addr is the address that the broker listens on, "host:port"; empty without a
// listener.
func (b *Broker) Addr() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.listener == nil {
		return ""
	}
	return b.listener.Addr().String()
}

// URL is what a client dials: amqp://guest:guest@127.0.0.1:PORT/ with the
// broker's user and port. Without a listener the host is a placeholder, for use
// with [Broker.Dial].
func (b *Broker) URL() string {
	addr := b.Addr()
	if addr == "" {
		addr = "amqptest.invalid:5672"
	}
	name, password := b.user()
	scheme := "amqp"
	if b.cfg.tls != nil && b.cfg.listen {
		scheme = "amqps"
	}
	u := url.URL{Scheme: scheme, User: url.UserPassword(name, password), Host: addr, Path: "/"}
	return u.String()
}

// secure puts TLS on a listener if it is wanted.
func (b *Broker) secure(l net.Listener) net.Listener {
	if b.cfg.tls == nil {
		return l
	}
	return tls.NewListener(l, b.cfg.tls)
}

// user is the one that URL names: guest if there is a guest, else the first by name.
func (b *Broker) user() (name, password string) {
	if p, ok := b.cfg.users["guest"]; ok {
		return "guest", p
	}
	for n := range b.cfg.users {
		if name == "" || n < name {
			name = n
		}
	}
	return name, b.cfg.users[name]
}

func (b *Broker) accept(l net.Listener) {
	for {
		nc, err := l.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return
			}
			b.cfg.log.Warn("accept", "error", err)
			continue
		}
		b.serve(nc)
	}
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

// Close tells every client that the broker shuts down (320 CONNECTION_FORCED),
// closes the listener and every connection, and returns when no goroutine is
// left. Queues and messages are gone. It may be called more than once.
func (b *Broker) Close() error {
	b.mu.Lock()
	listening := b.listener
	if b.closed || b.refusing {
		listening = nil
	}
	b.closed = true
	b.mu.Unlock()
	var err error
	if listening != nil {
		err = listening.Close()
	}
	b.lock()
	for c := range b.conns {
		c.raise(0, fail(connectionForced, "broker forced connection closure with reason 'shutdown'"))
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
