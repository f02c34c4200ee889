package main

import (
	"net"
	"sync"
)

// cable is the network of one process. The demo freezes it, as if the process hung, and cuts
// it, as if the process were killed. Do not copy this file.
type cable struct {
	mu    sync.Mutex
	conns []net.Conn
	gate  chan struct{} // closed while data flows
	cut   bool
}

func newCable() *cable {
	c := &cable{gate: make(chan struct{})}
	close(c.gate)
	return c
}

// Dial is for amqprpc.WithDialer.
func (c *cable) Dial(network, addr string) (net.Conn, error) {
	if err := c.pass(); err != nil {
		return nil, err
	}
	conn, err := net.Dial(network, addr)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.conns = append(c.conns, conn)
	return plug{conn, c}, nil
}

// Freeze holds all data back until Cut.
func (c *cable) Freeze() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.gate = make(chan struct{})
}

// Cut ends the connections, and fails each attempt at another one.
func (c *cable) Cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cut = true
	for _, conn := range c.conns {
		conn.Close()
	}
	select {
	case <-c.gate:
	default:
		close(c.gate)
	}
}

// pass waits while the cable is frozen, and returns an error if it is cut.
func (c *cable) pass() error {
	c.mu.Lock()
	gate := c.gate
	c.mu.Unlock()
	<-gate
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cut {
		return net.ErrClosed
	}
	return nil
}

// plug is a connection through a cable.
type plug struct {
	net.Conn
	cable *cable
}

func (p plug) Read(b []byte) (int, error) {
	n, err := p.Conn.Read(b)
	if e := p.cable.pass(); e != nil {
		return 0, e
	}
	return n, err
}

func (p plug) Write(b []byte) (int, error) {
	if err := p.cable.pass(); err != nil {
		return 0, err
	}
	return p.Conn.Write(b)
}
