// Package faultproxy is a TCP proxy on loopback for tests of network faults. It stands
// between clients and a broker. On request it cuts connections, also at a chosen byte,
// stalls or delays either direction, leaves one side half-open, or refuses connections. It
// knows nothing of AMQP except its URLs.
//
// All functions and methods are safe for concurrent use.
package faultproxy

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/url"
	"sync"
	"time"
)

// Direction is a direction in which bytes pass.
type Direction int

// The directions.
const (
	ToBroker Direction = iota
	ToClient
)

// String implements fmt.Stringer.
func (d Direction) String() string {
	if d == ToBroker {
		return "to broker"
	}
	return "to client"
}

// Ending is how a connection is ended.
type Ending int

// The endings.
const (
	// RST aborts the connection: the peer's next read or write fails with "connection
	// reset".
	RST Ending = iota
	// FIN closes the connection in order: the peer reads all bytes that have passed,
	// then EOF.
	FIN
)

// Stats counts what has passed a proxy since New.
type Stats struct {
	Accepted int   // connections accepted from clients
	Open     int   // of these, not ended yet on both sides
	ToBroker int64 // bytes written to the broker
	ToClient int64 // bytes written to clients
}

// Proxy forwards connections to one target. Make it with New.
type Proxy struct {
	target string
	addr   string
	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	wg     sync.WaitGroup // the accept loop and every connection

	gates [2]*gate // by Direction

	mu       sync.Mutex
	listener net.Listener // nil while refusing
	links    map[*link]struct{}
	delay    [2]time.Duration
	passed   [2]int64
	cutAt    [2]*plannedCut
	accepted int
	closed   bool
}

// plannedCut is a cut that CutAfter has planned.
type plannedCut struct {
	left int64
	how  Ending
	done chan struct{}
}

// dialLimit bounds the dial of a target that does not answer.
const dialLimit = 10 * time.Second

// New starts a proxy for the broker at target, which is host:port. The proxy listens on
// a free loopback port until Close.
func New(target string) (*Proxy, error) {
	p := &Proxy{target: target, links: make(map[*link]struct{})}
	p.gates[ToBroker], p.gates[ToClient] = newGate(), newGate()
	p.ctx, p.cancel = context.WithCancel(context.Background())
	l, err := listenAnywhere()
	if err != nil {
		p.cancel()
		return nil, err
	}
	p.addr = l.Addr().String()
	p.serve(l)
	return p, nil
}

// listenAnywhere listens on a port below the kernel's range for outgoing connections,
// so that the port is still free when Accept reopens it after Refuse.
func listenAnywhere() (net.Listener, error) {
	var err error
	for range 100 {
		var l net.Listener
		if l, err = net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 10000+rand.IntN(10000))); err == nil {
			return l, nil
		}
	}
	return nil, fmt.Errorf("faultproxy: listen: %w", err)
}

// Addr returns the host:port of the proxy.
func (p *Proxy) Addr() string { return p.addr }

// URL returns amqpURL with the address of the proxy instead of the broker's.
func (p *Proxy) URL(amqpURL string) (string, error) {
	u, err := url.Parse(amqpURL)
	if err != nil {
		return "", fmt.Errorf("faultproxy: %w", err)
	}
	u.Host = p.addr
	return u.String(), nil
}

// serve accepts from l until l is closed. The caller holds p.mu, or has not shared p
// yet.
func (p *Proxy) serve(l net.Listener) {
	p.listener = l
	p.wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			p.admit(c.(*net.TCPConn))
		}
	})
}

// admit dials the broker for a new client and forwards between the two.
func (p *Proxy) admit(client *net.TCPConn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		abort(client)
		return
	}
	p.accepted++
	p.wg.Go(func() {
		broker, err := (&net.Dialer{Timeout: dialLimit}).DialContext(p.ctx, "tcp", p.target)
		if err != nil {
			abort(client)
			return
		}
		k := newLink(p, client, broker.(*net.TCPConn))
		if !p.add(k) {
			k.cut(RST)
			return
		}
		k.run()
		p.remove(k)
	})
}

func (p *Proxy) add(k *link) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return false
	}
	p.links[k] = struct{}{}
	return true
}

func (p *Proxy) remove(k *link) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.links, k)
}

// Stats returns the counts so far.
func (p *Proxy) Stats() Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	return Stats{Accepted: p.accepted, Open: len(p.links), ToBroker: p.passed[ToBroker], ToClient: p.passed[ToClient]}
}

// Refuse makes the kernel refuse new connections, as if nothing listened. Open
// connections continue.
func (p *Proxy) Refuse() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.listener != nil {
		_ = p.listener.Close()
		p.listener = nil
	}
}

// Accept undoes Refuse.
func (p *Proxy) Accept() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.listener != nil {
		return nil
	}
	if p.closed {
		return errors.New("faultproxy: accept after Close")
	}
	l, err := net.Listen("tcp", p.addr)
	if err != nil {
		return fmt.Errorf("faultproxy: accept again: %w", err)
	}
	p.serve(l)
	return nil
}

// Stall holds back all bytes in direction d, on open and future connections. The bytes
// fill the kernel's buffers, and then the sender blocks.
func (p *Proxy) Stall(d Direction) { p.gates[d].close() }

// Resume undoes Stall. The bytes that were held back are not lost.
func (p *Proxy) Resume(d Direction) { p.gates[d].open() }

// SetDelay delays bytes in direction d. It adds latency and does not limit throughput.
// The default is 0.
func (p *Proxy) SetDelay(d Direction, by time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.delay[d] = by
}

func (p *Proxy) delayOf(d Direction) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.delay[d]
}

// Cut ends both sides of every connection now, including half-open ones.
func (p *Proxy) Cut(how Ending) {
	for _, k := range p.open() {
		k.cut(how)
	}
}

// CutAfter lets n more bytes pass in direction d, counted over all connections, and
// then ends every connection. The channel is closed after that, or at Close. A later
// CutAfter for the same direction replaces this one and closes its channel.
func (p *Proxy) CutAfter(d Direction, n int64, how Ending) <-chan struct{} {
	done := make(chan struct{})
	p.mu.Lock()
	p.abandonCut(d)
	if n > 0 && !p.closed {
		p.cutAt[d] = &plannedCut{left: n, how: how, done: done}
		p.mu.Unlock()
		return done
	}
	p.mu.Unlock()
	p.Cut(how)
	close(done)
	return done
}

// abandonCut drops a planned cut. The caller holds p.mu.
func (p *Proxy) abandonCut(d Direction) {
	if c := p.cutAt[d]; c != nil {
		close(c.done)
		p.cutAt[d] = nil
	}
}

// DropClients leaves every connection half-open: it ends the client's side, and the
// broker's side stays open and silent, as after a power failure of the client's
// machine. The proxy no longer reads the broker's bytes.
func (p *Proxy) DropClients(how Ending) {
	for _, k := range p.open() {
		k.drop(ToClient, how)
	}
}

// DropBroker is DropClients for the other side: the clients' connections stay open and
// silent.
func (p *Proxy) DropBroker(how Ending) {
	for _, k := range p.open() {
		k.drop(ToBroker, how)
	}
}

func (p *Proxy) open() []*link {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := make([]*link, 0, len(p.links))
	for k := range p.links {
		all = append(all, k)
	}
	return all
}

// grant returns how many of n bytes may pass in direction d. cut is not nil if a
// planned cut is due after them.
func (p *Proxy) grant(d Direction, n int) (pass int, cut *plannedCut) {
	p.mu.Lock()
	defer p.mu.Unlock()
	pass = n
	if c := p.cutAt[d]; c != nil {
		pass = int(min(int64(n), c.left))
		if c.left -= int64(pass); c.left == 0 {
			p.cutAt[d] = nil
			cut = c
		}
	}
	return pass, cut
}

func (p *Proxy) count(d Direction, n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.passed[d] += int64(n)
}

// Close ends the proxy, resets all its connections, and waits for its goroutines. A
// second Close does nothing.
func (p *Proxy) Close() error {
	p.mu.Lock()
	p.closed = true
	if p.listener != nil {
		_ = p.listener.Close()
		p.listener = nil
	}
	p.abandonCut(ToBroker)
	p.abandonCut(ToClient)
	p.mu.Unlock()
	p.cancel()
	p.Cut(RST)
	p.wg.Wait()
	return nil
}
