package amqptest

import (
	"fmt"
	"net"
	"syscall"
)

// TB is what [Start] needs of a *testing.T or *testing.B. With it, programs that import this
// package do not link package testing.
type TB interface {
	Helper()
	Cleanup(func())
	Fatalf(format string, args ...any)
}

// Start starts a broker for a test, and closes it when the test ends. It fails the test if
// no port is free.
func Start(t TB, opts ...Option) *Broker {
	t.Helper()
	b, err := start(newConfig(opts))
	if err != nil {
		t.Fatalf("%v", err)
		return nil
	}
	t.Cleanup(func() { _ = b.Close() })
	return b
}

// Dial connects to the broker through memory; it ignores the address. It fits amqp091-go's
// Config.Dial and any other dial function. Nothing goes over the network, so that client and
// broker can run in a [testing/synctest] bubble, where heartbeats, TTLs and deadlines take no
// time.
//
// If the broker is closed or refuses connections, the error is ECONNREFUSED.
func (b *Broker) Dial(network, addr string) (net.Conn, error) {
	b.mu.Lock()
	b.serial++
	client, server := newPipe(fmt.Sprintf("client-%d", b.serial), "amqptest")
	b.mu.Unlock()
	if !b.serve(server) {
		return nil, &net.OpError{Op: "dial", Net: network, Addr: pipeAddr(addr), Err: syscall.ECONNREFUSED}
	}
	return client, nil
}
