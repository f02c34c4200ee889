package amqprpc

import (
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// bell is a timer of the kernel's
// (https://man7.org/linux/man-pages/man2/timerfd_create.2.html). To set one that is muted
// before it rings wakes nobody. For a timer of the runtime's one of its threads wakes at the
// time that was set first, mostly, though the timer was reset meanwhile.
type bell struct {
	file *os.File
	mu   sync.Mutex
	fd   int // of file; -1 once it is closed
}

// newBell returns a bell that calls ring when it rings, on a goroutine of its own until
// it is closed. It is nil where the kernel gives none.
func newBell(ring func()) *bell {
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return nil
	}
	b := &bell{file: os.NewFile(uintptr(fd), "timerfd"), fd: fd}
	go func() {
		var count [8]byte
		for {
			if _, err := b.file.Read(count[:]); err != nil {
				return
			}
			ring()
		}
	}()
	return b
}

// set has the bell ring once, after d, and not as it was set before; 0 mutes it.
func (b *bell) set(d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.fd >= 0 {
		when := unix.ItimerSpec{Value: unix.NsecToTimespec(int64(d))}
		unix.TimerfdSettime(b.fd, 0, &when, nil)
	}
}

func (b *bell) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fd = -1
	b.file.Close()
}
