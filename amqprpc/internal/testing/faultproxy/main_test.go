package faultproxy

import (
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds every wait that is expected to end.
const patience = 10 * time.Second

// broker is the far end. It passes on the connections that it accepts.
type broker struct {
	net.Listener
	conns chan *net.TCPConn
}

func newBroker(t *testing.T) *broker {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	b := &broker{l, make(chan *net.TCPConn, 64)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			b.conns <- c.(*net.TCPConn)
		}
	}()
	t.Cleanup(func() {
		_ = l.Close()
		<-done
	})
	return b
}

func (b *broker) next(t *testing.T) *net.TCPConn {
	t.Helper()
	select {
	case c := <-b.conns:
		t.Cleanup(func() { _ = c.Close() })
		require.NoError(t, c.SetDeadline(time.Now().Add(patience)))
		return c
	case <-time.After(patience):
		require.FailNow(t, "no connection reached the broker")
		return nil
	}
}

func newProxy(t *testing.T, b *broker) *Proxy {
	t.Helper()
	p, err := New(b.Addr().String())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, p.Close()) })
	return p
}

// connect returns both ends of a connection through p. One byte has passed in each
// direction, so the proxy knows the connection.
func connect(t *testing.T, p *Proxy, b *broker) (client, far *net.TCPConn) {
	t.Helper()
	c, err := net.Dial("tcp", p.Addr())
	require.NoError(t, err)
	client = c.(*net.TCPConn)
	t.Cleanup(func() { _ = client.Close() })
	require.NoError(t, client.SetDeadline(time.Now().Add(patience)))
	far = b.next(t)
	send(t, client, "!")
	expect(t, far, "!")
	send(t, far, "?")
	expect(t, client, "?")
	return client, far
}

func send(t *testing.T, c net.Conn, s string) {
	t.Helper()
	_, err := io.WriteString(c, s)
	require.NoError(t, err)
}

func expect(t *testing.T, c net.Conn, want string) {
	t.Helper()
	got := make([]byte, len(want))
	_, err := io.ReadFull(c, got)
	require.NoError(t, err)
	require.Equal(t, want, string(got))
}

// expectSilence checks that nothing arrives for 50 ms. The connection stays usable.
func expectSilence(t *testing.T, c *net.TCPConn) {
	t.Helper()
	require.NoError(t, c.SetReadDeadline(time.Now().Add(50*time.Millisecond)))
	n, err := c.Read(make([]byte, 1))
	require.Zero(t, n)
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	require.NoError(t, c.SetReadDeadline(time.Now().Add(patience)))
}

func expectEnd(t *testing.T, c net.Conn, how Ending) {
	t.Helper()
	_, err := io.Copy(io.Discard, c)
	if how == FIN {
		require.NoError(t, err)
		return
	}
	require.ErrorIs(t, err, syscall.ECONNRESET)
}

func eachEnding(t *testing.T, test func(*testing.T, Ending)) {
	for how, name := range map[Ending]string{RST: "RST", FIN: "FIN"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, how)
		})
	}
}

func eachDirection(t *testing.T, test func(*testing.T, Direction)) {
	for _, d := range []Direction{ToBroker, ToClient} {
		t.Run(d.String(), func(t *testing.T) {
			t.Parallel()
			test(t, d)
		})
	}
}

// ends returns the two ends of a connection in the order of direction d.
func ends(d Direction, client, far *net.TCPConn) (from, to *net.TCPConn) {
	if d == ToBroker {
		return client, far
	}
	return far, client
}
