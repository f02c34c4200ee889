//go:build !linux

package amqprpc

import "time"

// bell is for Linux.
type bell struct{}

func newBell(func()) *bell { return nil }

func (*bell) set(time.Duration) {}

func (*bell) close() {}
