package faultproxy

import (
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

// link is a client's connection and the connection to the broker that belongs to it.
type link struct {
	proxy *Proxy
	sides [2]*side // sides[d] receives the bytes of direction d

	stopOnce sync.Once
	stop     chan struct{} // closed by the first cut or drop; then nothing passes any more
}

// side is one of the two sockets of a link.
type side struct {
	conn    *net.TCPConn
	endOnce sync.Once
	ended   chan struct{} // closed when the proxy ends the socket, not when the peer does
}

func newLink(p *Proxy, client, broker *net.TCPConn) *link {
	k := &link{proxy: p, stop: make(chan struct{})}
	k.sides[ToClient] = &side{conn: client, ended: make(chan struct{})}
	k.sides[ToBroker] = &side{conn: broker, ended: make(chan struct{})}
	return k
}

// end ends the socket. After a FIN, the link still reads from the socket until the peer
// closes it, because a close with unread bytes would send RST. end may be called again
// with RST.
func (s *side) end(how Ending) {
	s.endOnce.Do(func() { close(s.ended) })
	if how == FIN {
		_ = s.conn.CloseWrite()
		return
	}
	abort(s.conn)
}

func abort(c *net.TCPConn) {
	_ = c.SetLinger(0) // Close then sends RST
	_ = c.Close()
}

func (k *link) freeze() { k.stopOnce.Do(func() { close(k.stop) }) }

func (k *link) frozen() bool {
	select {
	case <-k.stop:
		return true
	default:
		return false
	}
}

// cut ends both sides.
func (k *link) cut(how Ending) {
	k.freeze()
	k.sides[ToBroker].end(how)
	k.sides[ToClient].end(how)
}

// drop ends the side that direction d leads to. The other side stays open and is not
// read.
func (k *link) drop(d Direction, how Ending) {
	k.freeze()
	k.sides[d].end(how)
}

// run forwards in both directions until both sides have ended.
func (k *link) run() {
	var wg sync.WaitGroup
	for d, src := range map[Direction]*side{ToBroker: k.sides[ToClient], ToClient: k.sides[ToBroker]} {
		chunks := make(chan chunk, 16)
		wg.Go(func() { k.read(d, src, chunks) })
		wg.Go(func() { k.write(d, k.sides[d], chunks) })
	}
	wg.Wait()
	_ = k.sides[ToBroker].conn.Close()
	_ = k.sides[ToClient].conn.Close()
}

// chunk is the data of one read.
type chunk struct {
	data []byte
	due  time.Time // when it may be written
}

// read reads from src, for direction d, until src has closed.
func (k *link) read(d Direction, src *side, out chan<- chunk) {
	defer close(out)
	for k.proxy.gates[d].pass(k.stop) {
		buf := make([]byte, 16<<10)
		n, err := src.conn.Read(buf)
		if n > 0 {
			select {
			case out <- chunk{buf[:n], time.Now().Add(k.proxy.delayOf(d))}:
			case <-k.stop:
			}
		}
		if errors.Is(err, io.EOF) {
			return // write passes on what was read, and then the end
		}
		if err != nil {
			if !k.frozen() {
				k.cut(RST)
			}
			return
		}
	}
	// The link is half-open: do not read until it is cut.
	<-src.ended
	_, _ = io.Copy(io.Discard, src.conn)
}

// write writes chunks to dst until there are no more or the link is stopped.
func (k *link) write(d Direction, dst *side, in <-chan chunk) {
	for c := range in {
		if !k.sleep(time.Until(c.due)) || !k.proxy.gates[d].pass(k.stop) {
			return
		}
		pass, planned := k.proxy.grant(d, len(c.data))
		n, err := dst.conn.Write(c.data[:pass])
		k.proxy.count(d, n)
		if planned != nil {
			k.proxy.Cut(planned.how)
			close(planned.done)
			return
		}
		if err != nil {
			if !k.frozen() {
				k.cut(RST)
			}
			return
		}
	}
	if !k.frozen() {
		_ = dst.conn.CloseWrite()
	}
}

// sleep waits for d. It returns false if the link is stopped first.
func (k *link) sleep(d time.Duration) bool {
	if d <= 0 {
		return !k.frozen()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-k.stop:
		return false
	}
}
