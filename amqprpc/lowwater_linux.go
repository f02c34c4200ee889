package amqprpc

import "syscall"

// setLowWater sets from how many bytes on a socket is readable (SO_RCVLOWAT in
// https://man7.org/linux/man-pages/man7/socket.7.html), and reports whether it could.
func setLowWater(rc syscall.RawConn, n int) bool {
	var err error
	if rc.Control(func(fd uintptr) {
		err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVLOWAT, n)
	}) != nil {
		return false
	}
	return err == nil
}
