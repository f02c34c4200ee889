package transport_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/transport"
)

// patience is how long a test waits for what must happen.
const patience = 20 * time.Second

func config(urls ...string) transport.Config {
	return transport.Config{URLs: urls, Name: "test", Heartbeat: 10 * time.Second, Timeout: patience}
}

func newDialer(t *testing.T, cfg transport.Config) *transport.Dialer {
	t.Helper()
	d, err := transport.NewDialer(cfg)
	require.NoError(t, err)
	return d
}

// No error repeats any part of a URL: it holds a password.
func TestURLsThatDoNotParse(t *testing.T) {
	t.Parallel()
	const secret = "s3cr3t"
	for _, url := range []string{
		"", secret, "http://u:" + secret + "@host/", "AMQP://u:" + secret + "@host/", "amqp:/u:" + secret + "@host",
		"amqp://u:" + secret + "@host:port/", "amqp://u:" + secret + "%zz@host/", "amqp://u:" + secret + "#@host/a b",
		"amqp://u:" + secret + "\x00@host/", " amqp://u:" + secret + "@host/", "amqps://u:" + secret + "@[::1/",
		"amqp://u:" + secret + "@host/a/b/c/" + secret + "?heartbeat=" + secret, "amqp://u:" + secret + "@host/?connection_timeout=" + secret,
	} {
		_, err := transport.NewDialer(config("amqp://localhost/", url))
		if err == nil { // the driver may take it
			require.Contains(t, url, "?", "%q parses", url)
			continue
		}
		require.NotContains(t, err.Error(), secret)
		require.ErrorContains(t, err, "amqp://user:password@host:port/vhost")
	}
}

// A TLS configuration that would not be used is refused.
func TestTLSConfigurationWithoutTLS(t *testing.T) {
	t.Parallel()
	cfg := config("amqps://localhost/", "amqp://u:s3cr3t@localhost/")
	cfg.TLS = &tls.Config{}
	_, err := transport.NewDialer(cfg)
	require.ErrorContains(t, err, "would not be encrypted")
	require.NotContains(t, err.Error(), "s3cr3t")
	cfg.URLs = cfg.URLs[:1]
	require.Equal(t, "localhost:5671", newDialer(t, cfg).Addr())
}

// Errors of a dial function are the attempt's, and cost no process.
func TestDialFunctionThatFails(t *testing.T) {
	t.Parallel()
	failure := errors.New("no route")
	for want, dial := range map[string]func(network, addr string) (net.Conn, error){
		"panicked: boom":                     func(string, string) (net.Conn, error) { panic("boom") },
		"neither a connection nor an error":  func(string, string) (net.Conn, error) { return nil, nil },
		"connect to there:1: no route":       func(string, string) (net.Conn, error) { return nil, failure },
		"connect to there:1: tcp to there:1": func(network, addr string) (net.Conn, error) { return nil, fmt.Errorf("%s to %s", network, addr) },
	} {
		cfg := config("amqp://u:s3cr3t@there:1/")
		cfg.Dial = dial
		_, err := newDialer(t, cfg).Dial(t.Context(), transport.Watcher{})
		require.ErrorContains(t, err, want)
		require.NotContains(t, err.Error(), "s3cr3t")
		require.False(t, transport.IsPermanent(err), "it may succeed next time")
	}
}

// A dial function that hangs holds nobody up. The connection that it makes too late is
// closed.
func TestDialFunctionThatHangs(t *testing.T) {
	t.Parallel()
	release, late := make(chan struct{}), make(chan net.Conn, 1)
	cfg := config("amqp://there:1/")
	cfg.Dial = func(string, string) (net.Conn, error) {
		<-release
		a, b := net.Pipe()
		late <- b
		return a, nil
	}
	cause := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	time.AfterFunc(10*time.Millisecond, func() { cancel(cause) })
	_, err := newDialer(t, cfg).Dial(ctx, transport.Watcher{})
	require.ErrorIs(t, err, cause)
	close(release)
	_, err = io.ReadAll(<-late)
	require.NoError(t, err, "the connection is closed")
}

// A peer that accepts and says nothing, or hangs up in the handshake, ends the attempt,
// and nothing of it is left. (goleak sees a socket that is still read.)
func TestHandshakesThatFail(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	var wg sync.WaitGroup
	wg.Go(func() {
		for n := 0; ; n++ {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer c.Close()
				io.ReadFull(c, make([]byte, 8))
				switch n % 3 {
				case 0:
					io.Copy(io.Discard, c)
				case 1:
					c.Write([]byte("HTTP/1.1 400 Bad Request\r\n\r\n"))
				}
			})
		}
	})
	cfg := config("amqp://u:s3cr3t@" + l.Addr().String() + "/")
	cfg.Timeout = 20 * time.Millisecond
	d := newDialer(t, cfg)
	for range 30 {
		_, err := d.Dial(t.Context(), transport.Watcher{})
		require.ErrorContains(t, err, "connect to "+l.Addr().String())
		require.NotContains(t, err.Error(), "s3cr3t")
		require.False(t, transport.IsPermanent(err))
	}
	l.Close()
	wg.Wait()
}

// The brokers are tried in turn. A permanent error does not go on to the next: it is to
// be seen.
func TestBrokersAreTriedInTurn(t *testing.T) {
	t.Parallel()
	broker := amqptest.Start(t)
	dead := "amqp://guest:guest@127.0.0.1:1/"
	d := newDialer(t, config(dead, dead, broker.URL()))
	require.Equal(t, "127.0.0.1:1", d.Addr())
	for range 2 {
		_, err := d.Dial(t.Context(), transport.Watcher{})
		require.ErrorContains(t, err, "connect to 127.0.0.1:1")
	}
	require.Equal(t, broker.Addr(), d.Addr())
	for range 2 {
		c, err := d.Dial(t.Context(), transport.Watcher{})
		require.NoError(t, err)
		c.Abort()
	}
	d = newDialer(t, config(broker.URL()+"nowhere", dead))
	for range 2 {
		before := d.Addr()
		_, err := d.Dial(t.Context(), transport.Watcher{})
		require.True(t, transport.IsPermanent(err))
		require.Equal(t, before, d.Addr())
	}
}

func TestVirtualHostThatDoesNotExist(t *testing.T) {
	t.Parallel()
	broker := amqptest.Start(t)
	_, err := newDialer(t, config(broker.URL()+"nowhere")).Dial(t.Context(), transport.Watcher{})
	require.ErrorContains(t, err, "the virtual host does not exist")
	require.True(t, transport.IsPermanent(err))
}

func TestTLSWithAPlainPort(t *testing.T) {
	t.Parallel()
	broker := amqptest.Start(t)
	_, err := newDialer(t, config("amqps://guest:guest@"+broker.Addr()+"/")).Dial(t.Context(), transport.Watcher{})
	require.ErrorContains(t, err, "the port does not speak TLS")
	require.True(t, transport.IsPermanent(err))
}

func TestExplain(t *testing.T) {
	t.Parallel()
	refusal := func(code int, reason string) error { return &amqp.Error{Code: code, Reason: reason, Server: true} }
	for name, c := range map[string]struct {
		err       error
		took      time.Duration
		permanent bool
		want      string
	}{
		"wrong password, after RabbitMQ's wait": {amqp.ErrCredentials, 2 * time.Second, true, "refused the user or password"},
		"dropped with the credentials":          {amqp.ErrCredentials, time.Millisecond, false, "closed in the handshake"},
		"dropped before the virtual host":       {amqp.ErrVhost, time.Millisecond, false, "closed in the handshake"},
		"no mechanism":                          {amqp.ErrSASL, 0, true, "login mechanism"},
		"access refused":                        {refusal(amqp.AccessRefused, "ACCESS_REFUSED"), 0, true, "refused the user or password"},
		"virtual host":                          {refusal(amqp.NotAllowed, "NOT_ALLOWED - vhost x not found"), 0, true, "virtual host does not exist"},
		"limit of a virtual host":               {refusal(amqp.NotAllowed, "NOT_ALLOWED - access to vhost '/' refused for user 'guest': connection limit (1) is reached"), 0, false, "limit of connections is reached"},
		"limit of a user":                       {refusal(amqp.NotAllowed, "NOT_ALLOWED - connection refused for user 'guest': user connection limit (1) is reached"), 0, false, "limit of connections is reached"},
		"going down":                            {refusal(amqp.ConnectionForced, "CONNECTION_FORCED"), 0, false, "CONNECTION_FORCED"},
		"refused":                               {&net.OpError{Op: "dial", Err: errors.New("connection refused")}, 0, false, "connection refused"},
	} {
		err := newDialer(t, config("amqp://u:s3cr3t@host/")).Explain(c.err, c.took)
		require.Equal(t, c.permanent, transport.IsPermanent(err), name)
		require.ErrorContains(t, err, c.want, name)
		require.ErrorContains(t, err, "connect to host:5672", name)
		require.ErrorIs(t, err, c.err, name)
	}
	// A broker that drops connections so soon three times does refuse the credentials.
	d := newDialer(t, config("amqp://host/"))
	for n := range 3 {
		require.Equal(t, n == 2, transport.IsPermanent(d.Explain(amqp.ErrCredentials, 0)))
	}
}

func TestLostError(t *testing.T) {
	t.Parallel()
	require.EqualError(t, transport.LostTo(errors.New("read tcp: connection reset")), "the connection was lost: tcp: connection reset")
	require.NotErrorIs(t, transport.LostTo(os.ErrDeadlineExceeded), os.ErrDeadlineExceeded)
	err := transport.ClosedBy(&amqp.Error{Code: 320, Reason: "CONNECTION_FORCED", Server: true})
	require.ErrorContains(t, err, "the broker closed the connection")
	require.Equal(t, 320, transport.Code(fmt.Errorf("more: %w", err)))
	require.Zero(t, transport.Code(errors.New("other")))
}
