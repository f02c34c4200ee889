package amqprpc

import (
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// bell is a timer of the kernel's
// (https://man7.org/linux/man-pages/man2/timerfd_create.2.html). To set one that is muted
// before it rings wakes nobody. With a timer of the runtime's one of its threads wakes for
// it, mostly, whether it was reset meanwhile or not; and rounds to milliseconds.
type bell struct {
	file *os.File
	fd   syscall.RawConn
}

// newBell returns a bell that calls ring when it rings, on a goroutine of its own until
// it is closed. It is nil where there are no more file descriptors.
func newBell(ring func()) *bell {
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return nil
	}
	file := os.NewFile(uintptr(fd), "timerfd")
	b := &bell{file: file}
	if b.fd, err = file.SyscallConn(); err != nil {
		file.Close()
		return nil
	}
	go func() {
		var count [8]byte
		for {
			if _, err := file.Read(count[:]); err != nil {
				return
			}
			ring()
		}
	}()
	return b
}

// set has the bell ring once, after d, and not as it was set before; 0 mutes it.
func (b *bell) set(d time.Duration) {
	when := unix.ItimerSpec{Value: unix.NsecToTimespec(int64(d))}
	b.fd.Control(func(fd uintptr) { unix.TimerfdSettime(int(fd), 0, &when, nil) })
}

func (b *bell) close() { b.file.Close() }
