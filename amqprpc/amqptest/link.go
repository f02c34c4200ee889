package amqptest

import (
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// link is a connection's transport with the faults that a test may put on it.
type link struct {
	net.Conn
	received atomic.Int64 // bytes, for the heartbeat
	sent     atomic.Int64

	mu     sync.Mutex
	change sync.Cond
	in     fault // on what the client sends
	out    fault // on what the broker sends
	closed bool

	orderly bool // end closes without a reset; the reader alone uses it
}

// fault is what happens to one direction of a connection.
type fault uint8

const (
	healthy fault = iota
	frozen        // nothing moves, and nothing is lost
	lost          // what is sent vanishes
)

func newLink(nc net.Conn) *link {
	l := &link{Conn: nc}
	l.change.L = &l.mu
	return l
}

// await returns the fault of a direction once it is not frozen; false when the
// link has been closed.
func (l *link) await(direction *fault) (fault, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for *direction == frozen && !l.closed {
		l.change.Wait()
	}
	return *direction, !l.closed
}

func (l *link) Read(p []byte) (int, error) {
	for {
		if _, open := l.await(&l.in); !open {
			return 0, net.ErrClosed
		}
		n, err := l.Conn.Read(p)
		// What arrives after the freeze is held until the thaw.
		f, open := l.await(&l.in)
		if !open {
			return 0, net.ErrClosed
		}
		if f == lost && err == nil {
			continue
		}
		l.received.Add(int64(n))
		return n, err
	}
}

// writeAll writes a batch of segments.
func (l *link) writeAll(batch net.Buffers) (int64, error) {
	f, open := l.await(&l.out)
	if !open {
		return 0, net.ErrClosed
	}
	if f == lost {
		var n int64
		for _, b := range batch {
			n += int64(len(b))
		}
		return n, nil
	}
	if len(batch) == 1 {
		n, err := l.Conn.Write(batch[0])
		l.sent.Add(int64(n))
		return int64(n), err
	}
	n, err := batch.WriteTo(l.Conn)
	l.sent.Add(n)
	return n, err
}

// freeze stops the given directions and lets the others move.
func (l *link) freeze(d Direction) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, way := range []struct {
		bit   Direction
		fault *fault
	}{{FromClient, &l.in}, {ToClient, &l.out}} {
		switch {
		case *way.fault == lost:
		case d&way.bit != 0:
			*way.fault = frozen
		default:
			*way.fault = healthy
		}
	}
	l.change.Broadcast()
}

// lose makes what is sent in the given directions vanish for good.
func (l *link) lose(d Direction) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if d&FromClient != 0 {
		l.in = lost
	}
	if d&ToClient != 0 {
		l.out = lost
	}
	l.change.Broadcast()
}

// halfOpen reports whether a direction is lost: then the peer must not see the
// broker close its end either.
func (l *link) halfOpen() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.in == lost || l.out == lost
}

// shut makes Read and writeAll return without closing the transport.
func (l *link) shut() {
	l.mu.Lock()
	l.closed = true
	l.change.Broadcast()
	l.mu.Unlock()
	past := time.Unix(1, 0)
	_ = l.Conn.SetDeadline(past)
}

// end closes the transport as RabbitMQ does: with a reset, which the client sees after it has
// read everything that was sent. After TLS or a refused protocol there is no reset.
func (l *link) end() {
	l.shut()
	if !l.orderly {
		switch nc := l.Conn.(type) {
		case interface{ SetLinger(sec int) error }:
			_ = nc.SetLinger(0)
		case interface{ endWithReset() }:
			nc.endWithReset()
		}
	}
	_ = l.Conn.Close()
}

// reset closes with an error for the peer: a TCP reset where there is TCP.
func (l *link) reset() {
	under := l.Conn
	if secure, ok := under.(interface{ NetConn() net.Conn }); ok {
		under = secure.NetConn() // of TLS, whose own Close would say goodbye
	}
	switch nc := under.(type) {
	case interface{ SetLinger(sec int) error }:
		_ = nc.SetLinger(0)
	case interface{ reset() }:
		nc.reset()
	}
	_ = under.Close()
	l.shut()
	_ = l.Conn.Close()
}
