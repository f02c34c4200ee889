package amqptest

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
)

// listener is one of the broker's ports. All but tls is under the broker's lock.
type listener struct {
	addr string      // that it was given, then that it listens on
	tls  *tls.Config // nil for none
	open net.Listener
}

// listeners are those that the configuration asks for, none of them open.
func (cfg *config) listeners() []*listener {
	if !cfg.listen {
		return nil
	}
	all := []*listener{{addr: cfg.addr, tls: cfg.tls}}
	if cfg.secondTLS != nil {
		all = append(all, &listener{addr: cfg.secondAddr, tls: cfg.secondTLS})
	}
	return all
}

// listen opens all ports, or none.
func (b *Broker) listen() error {
	for _, l := range b.listeners {
		addr := l.addr
		if host, port, err := net.SplitHostPort(addr); err == nil && host == "" {
			// To listen on every interface somebody must write 0.0.0.0.
			addr = net.JoinHostPort("127.0.0.1", port)
		}
		open, err := net.Listen("tcp", addr)
		if err != nil {
			return errors.Join(fmt.Errorf("amqptest: listen: %w", err), b.closePorts())
		}
		l.addr = open.Addr().String()
		if l.tls != nil {
			open = tls.NewListener(open, l.tls)
		}
		l.open = open
		b.wg.Go(func() { b.accept(open) })
	}
	return nil
}

// closePorts closes all ports that are open.
func (b *Broker) closePorts() error {
	var errs []error
	for _, l := range b.listeners {
		if l.open != nil {
			errs = append(errs, l.open.Close())
			l.open = nil
		}
	}
	return errors.Join(errs...)
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

// Addr is the address that the broker listens on, "host:port"; empty without a
// listener.
func (b *Broker) Addr() string { return b.address(0) }

// TLSAddr is the address of the listener of [WithTLSListener]; empty without one.
func (b *Broker) TLSAddr() string { return b.address(1) }

func (b *Broker) address(i int) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	if i >= len(b.listeners) {
		return ""
	}
	return b.listeners[i].addr
}

// URL is the URL for clients: amqp://guest:guest@127.0.0.1:PORT/ with the broker's user and
// port. Without a listener the host is a placeholder, for use with [Broker.Dial].
func (b *Broker) URL() string {
	scheme := "amqp"
	if b.cfg.tls != nil && b.cfg.listen {
		scheme = "amqps"
	}
	return b.url(scheme, b.Addr())
}

// TLSURL is the URL of the listener of [WithTLSListener].
func (b *Broker) TLSURL() string { return b.url("amqps", b.TLSAddr()) }

func (b *Broker) url(scheme, addr string) string {
	if addr == "" {
		addr = "amqptest.invalid:5672"
	}
	name, password := b.user()
	u := url.URL{Scheme: scheme, User: url.UserPassword(name, password), Host: addr, Path: "/"}
	return u.String()
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

// RefuseConnections closes the broker's ports and makes [Broker.Dial] fail. Open connections
// go on.
func (b *Broker) RefuseConnections() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.refusing = true
	_ = b.closePorts()
}

// AcceptConnections ends [Broker.RefuseConnections], [Broker.Stop] and [Broker.Kill]. The
// broker listens on the same ports again. The error says that another program has taken one
// meanwhile.
func (b *Broker) AcceptConnections() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return net.ErrClosed
	}
	if !b.refusing {
		return nil
	}
	if err := b.listen(); err != nil {
		return err
	}
	b.refusing = false
	return nil
}
