package web

import (
	"fmt"
	"net"
	"net/netip"
)

// MinToken is the least length of a token in bytes. Shorter ones can be guessed.
const MinToken = 16

// FlagError is the error of an address or a token that cannot be used.
type FlagError struct{ Err error }

// Error returns the reason.
func (e *FlagError) Error() string { return e.Err.Error() }

// Unwrap returns the reason.
func (e *FlagError) Unwrap() error { return e.Err }

// Listen listens on addr, "host:port", for a page with this token. Without a token, addr must
// be a loopback address, because the page lets everybody call everything. Otherwise the error is a
// *FlagError.
func Listen(addr, token string) (net.Listener, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, &FlagError{fmt.Errorf("listen on %q: write it as host:port, for example 127.0.0.1:8672: %w", addr, err)}
	}
	if token != "" && len(token) < MinToken {
		return nil, &FlagError{fmt.Errorf("the token is too short: it needs at least %d bytes", MinToken)}
	}
	if token == "" && !isLoopback(host) {
		return nil, &FlagError{fmt.Errorf("listen on %q: this address can be reached from other machines, and the page can call every method: set a token with --token, or listen on 127.0.0.1", addr)}
	}
	return net.Listen("tcp", addr)
}

// isLoopback reports whether host is an address of this machine alone. Other names than
// localhost may resolve to anything.
func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}
