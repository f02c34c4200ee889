//go:build !linux

package rabbitmq

import "syscall"

// Private nodes are for Debian; elsewhere this package only has to compile.
const (
	sigStop = syscall.Signal(0x13)
	sigCont = syscall.Signal(0x12)
)

func childAttributes() *syscall.SysProcAttr { return nil }

func standsStill(int) bool { return true }
