package amqptest

import (
	"fmt"
	"net"
	"syscall"
)

// TB is what [Start] needs of a *testing.T or *testing.B. Programs that import
// this package link no testing by it.
type TB interface {
	Helper()
	Cleanup(func())
	Fatalf(format string, args ...any)
}

// Start starts a broker for a test and closes it when the test ends. It fails
// the test if there is no port.
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

// Dial connects to the broker through memory, whatever the address: it fits
// amqp091-go's Config.Dial and any other place for a dial function. Nothing
// enters the network, so that client and broker can live in a
// [testing/synctest] bubble, where heartbeats, TTLs and deadlines take no time.
//
// The error is a refused connection if the broker is closed or refuses
// connections.
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
