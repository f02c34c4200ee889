//go:build !linux

package rabbitmq

import "syscall"

// Private nodes run only on Debian. Elsewhere this package must only compile.
const (
	sigStop = syscall.Signal(0x13)
	sigCont = syscall.Signal(0x12)
)

func childAttributes() *syscall.SysProcAttr { return nil }

func standsStill(int) bool { return true }
