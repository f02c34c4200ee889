package transport

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"
)

// callDial turns a panic of the user's dial function into an error.
func callDial(dial func(network, addr string) (net.Conn, error), network, addr string) (conn net.Conn, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the dial function panicked: %v", p)
		}
	}()
	conn, err = dial(network, addr)
	if conn == nil && err == nil {
		err = errors.New("the dial function returned neither a connection nor an error")
	}
	return guardedConn{conn}, err
}

// handshake secures a connection. The configuration may call functions of the user's,
// now and when messages come.
func handshake(ctx context.Context, raw net.Conn, cfg *tls.Config) (net.Conn, error) {
	secure := tls.Client(raw, cfg)
	_, err := guarded(func() (int, error) { return 0, secure.HandshakeContext(ctx) })
	return guardedConn{secure}, err
}

// guardedConn is a connection that the user's code has a part in. A panic in it is an
// error, and so the end of the connection.
type guardedConn struct{ to net.Conn }

func guarded[T any](f func() (T, error)) (v T, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the connection panicked: %v", p)
		}
	}()
	return f()
}

func (c guardedConn) Read(b []byte) (int, error) {
	return guarded(func() (int, error) { return c.to.Read(b) })
}

func (c guardedConn) Write(b []byte) (int, error) {
	return guarded(func() (int, error) { return c.to.Write(b) })
}

func (c guardedConn) Close() error { return c.do(c.to.Close) }

func (c guardedConn) SetDeadline(t time.Time) error {
	return c.do(func() error { return c.to.SetDeadline(t) })
}

func (c guardedConn) SetReadDeadline(t time.Time) error {
	return c.do(func() error { return c.to.SetReadDeadline(t) })
}

func (c guardedConn) SetWriteDeadline(t time.Time) error {
	return c.do(func() error { return c.to.SetWriteDeadline(t) })
}

func (c guardedConn) do(f func() error) error {
	_, err := guarded(func() (int, error) { return 0, f() })
	return err
}

func (c guardedConn) LocalAddr() net.Addr  { return c.to.LocalAddr() }
func (c guardedConn) RemoteAddr() net.Addr { return c.to.RemoteAddr() }
