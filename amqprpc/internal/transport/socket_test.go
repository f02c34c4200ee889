package transport

import (
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/frame"
)

func tcpPair(t *testing.T) (net.Conn, net.Conn) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	accepted := make(chan net.Conn, 1)
	go func() { c, _ := l.Accept(); accepted <- c }()
	a, err := net.Dial("tcp", l.Addr().String())
	require.NoError(t, err)
	b := <-accepted
	t.Cleanup(func() { a.Close(); b.Close() })
	return a, b
}

// Many write at once, and heartbeats go between: every frame arrives whole, each writer's in
// order.
func TestWritersDoNotMix(t *testing.T) {
	t.Parallel()
	a, b := tcpPair(t)
	s := newSocket(a, a, testTimeout)
	const writers, frames = 8, 300
	payload := func(w, i int) []byte {
		return fmt.Appendf(nil, "%d %d %s", w, i, strings.Repeat("x", (i*7919)%40_000))
	}
	s.heartbeat.timer = time.NewTimer(time.Hour)
	var wg sync.WaitGroup
	wg.Go(func() {
		for range frames {
			s.beat()
			s.heard.Store(true)
		}
	})
	for w := range writers {
		wg.Go(func() {
			of := &assembly{channel: uint16(w)}
			for i := range frames {
				if err := s.writeFrames(of, frame.AppendFrame(nil, frame.TypeBody, uint16(w), payload(w, i)), atOnce); err != nil {
					t.Error(err)
				}
			}
		})
	}
	go func() { wg.Wait(); a.Close() }()
	r := frame.NewReader(b, frameMax)
	var next [writers]int
	for {
		f, err := r.Next()
		if err == io.EOF {
			break
		}
		require.NoError(t, err)
		if f.Type == frame.TypeHeartbeat {
			require.Zero(t, f.Channel)
			continue
		}
		require.Equal(t, string(payload(int(f.Channel), next[f.Channel])), string(f.Payload))
		next[f.Channel]++
	}
	for _, n := range next {
		require.Equal(t, frames, n)
	}
}

// A message that takes longer than the timeout is no stalled write, as long as some of
// it gets through.
func TestSlowWrite(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, b := net.Pipe()
		defer a.Close()
		s := newSocket(a, a, 10*time.Second)
		const size = 4 << 20
		read := make(chan int, 1)
		go func() {
			n, piece := 0, make([]byte, 16<<10)
			for n < size {
				time.Sleep(time.Second / 4) // 64 KiB a second
				m, err := b.Read(piece)
				n += m
				if err != nil {
					break
				}
			}
			read <- n
		}()
		start := time.Now()
		require.NoError(t, s.writeFrames(&assembly{channel: 1}, make([]byte, size), atOnce))
		require.Equal(t, size, <-read)
		require.Greater(t, time.Since(start), time.Minute)
		b.Close()
	})
}

// Where the socket is always full, no writer waits for the others for ever, however
// long its frames are. (Not in a bubble: a wait for a mutex does not count as idle there.)
func TestWritersTakeTurns(t *testing.T) {
	t.Parallel()
	a, b := net.Pipe()
	defer a.Close()
	s := newSocket(a, a, testTimeout)
	const writers, long = 4, 0
	var wrote [writers]atomic.Int64
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			frames := make([]byte, 8<<10)
			if w == long {
				frames = make([]byte, 2*writePiece)
			}
			for s.writeFrames(&assembly{channel: uint16(w)}, frames, atOnce) == nil {
				wrote[w].Add(1)
			}
		})
	}
	piece := make([]byte, 16<<10)
	for behind := true; behind; {
		_, err := b.Read(piece)
		require.NoError(t, err)
		behind = false
		for w := range wrote {
			behind = behind || wrote[w].Load() < 10
		}
	}
	b.Close()
	wg.Wait()
}

// A write that fails may have gone out in part. After it certainly nothing is written,
// so that the caller may send its message on the next connection.
func TestWriteAfterAFailure(t *testing.T) {
	t.Parallel()
	a, b := net.Pipe()
	b.Close()
	s := newSocket(a, a, testTimeout)
	err := s.writeFrames(&assembly{channel: 1}, []byte("x"), atOnce)
	require.Error(t, err)
	require.NotErrorIs(t, err, ErrClosed, "nobody knows what became of this one")
	require.ErrorIs(t, s.writeFrames(&assembly{channel: 1}, []byte("x"), atOnce), ErrClosed)
	_, err = a.Write([]byte("x"))
	require.ErrorIs(t, err, io.ErrClosedPipe, "a failure closes the connection")
}

// A peer that reads nothing ends the connection after the timeout, and every writer
// with it.
func TestStalledWrite(t *testing.T) {
	t.Parallel()
	const timeout = 50 * time.Millisecond
	a, b := net.Pipe()
	defer b.Close()
	s := newSocket(a, a, timeout)
	start := time.Now()
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for s.writeFrames(&assembly{channel: 1}, make([]byte, 30<<10), atOnce) == nil {
			}
		})
	}
	wg.Wait()
	require.GreaterOrEqual(t, time.Since(start), timeout)
	require.ErrorContains(t, *s.fault.Load(), "the connection was lost")
}

// A deadline that is set counts as well as the socket's own, on a write that is under way, too.
func TestBound(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for _, late := range []bool{false, true} {
			a, b := net.Pipe()
			s := newSocket(a, a, 10*time.Second)
			start := time.Now()
			if late {
				time.AfterFunc(time.Second, func() { s.bound(start.Add(3 * time.Second)) })
			} else {
				s.bound(start.Add(3 * time.Second))
			}
			require.Error(t, s.writeFrames(&assembly{channel: 1}, []byte("x"), atOnce))
			require.Equal(t, 3*time.Second, time.Since(start))
			a.Close()
			b.Close()
		}
	})
}
