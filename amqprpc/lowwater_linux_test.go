package amqprpc

import (
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Less than the mark is not reported before the patience ends, or the mark is lowered.
func TestLowWater(t *testing.T) {
	t.Parallel()
	confirm := make([]byte, lowWaterMark-1)
	for name, c := range map[string]struct {
		patience time.Duration
		then     func(peer net.Conn, l *lowWater)
		want     int
	}{
		"more comes":        {time.Hour, func(peer net.Conn, _ *lowWater) { peer.Write([]byte{1}) }, len(confirm) + 1},
		"lowered":           {time.Hour, func(_ net.Conn, l *lowWater) { l.lower() }, len(confirm)},
		"the peer is gone":  {time.Hour, func(peer net.Conn, _ *lowWater) { peer.Close() }, len(confirm)},
		"the peer is reset": {time.Hour, func(peer net.Conn, _ *lowWater) { peer.(*net.TCPConn).SetLinger(0); peer.Close() }, len(confirm)},
		"patience ends":     {2 * time.Second, func(net.Conn, *lowWater) {}, len(confirm)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			require.NoError(t, err)
			defer listener.Close()
			conn, err := net.Dial("tcp", listener.Addr().String())
			require.NoError(t, err)
			defer conn.Close()
			peer, err := listener.Accept()
			require.NoError(t, err)
			defer peer.Close()
			l := newLowWater(conn, conn, c.patience)
			require.NotNil(t, l)

			l.raise()
			read := make(chan int, 1)
			for tries, keptBack := 0, false; !keptBack; tries++ {
				require.Less(t, tries, 10, "a confirm alone is reported")
				go func() {
					n, _ := conn.Read(make([]byte, 100))
					read <- n
				}()
				time.Sleep(50 * time.Millisecond) // who reads after it has come is not kept waiting
				_, err = peer.Write(confirm)
				require.NoError(t, err)
				select {
				case <-read:
				case <-time.After(50 * time.Millisecond):
					keptBack = true
				}
			}
			c.then(peer, l)
			require.Equal(t, c.want, <-read)

			l.lower()
			require.False(t, l.raised.Load())
			l.raise()
			l.raise()
			l.tick()
			require.True(t, l.raised.Load(), "calls go on")
			l.tick()
			require.False(t, l.raised.Load(), "no more calls")
		})
	}
}

func TestLowWaterOfWhatHasNone(t *testing.T) {
	t.Parallel()
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	l := newLowWater(a, a, time.Hour)
	require.Nil(t, l)
	l.raise()
	l.lower()
}
