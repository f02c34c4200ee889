package main

import (
	"net"
	"sync"
)

// wire gives the server connections that this program can cut, as a network fault does.
type wire struct {
	mu   sync.Mutex
	last net.Conn
}

func (w *wire) dial(network, addr string) (net.Conn, error) {
	conn, err := net.Dial(network, addr)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.last = conn
	return conn, err
}

func (w *wire) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.last.Close()
}
