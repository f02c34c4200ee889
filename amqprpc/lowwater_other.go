//go:build !linux

package amqprpc

import "syscall"

// setLowWater is for Linux, whose pollers heed a low-water mark.
func setLowWater(syscall.RawConn, int) bool { return false }
