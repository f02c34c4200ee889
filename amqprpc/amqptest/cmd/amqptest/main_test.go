package main

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestServesUntilInterrupted(t *testing.T) {
	t.Parallel()
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	out, in := io.Pipe()
	done := make(chan error, 1)
	go func() {
		err := run(ctx, []string{"-addr", "127.0.0.1:0", "-user", "me", "-password", "secret", "-vhosts", "a,b", "-follow", "4.0"}, in)
		_ = in.Close()
		done <- err
	}()
	lines := bufio.NewScanner(out)
	require.True(t, lines.Scan())
	require.Contains(t, lines.Text(), "it keeps nothing")
	require.True(t, lines.Scan())
	addr := regexp.MustCompile(`127\.0\.0\.1:\d+`).FindString(lines.Text())
	require.NotEmpty(t, addr)
	require.NotContains(t, lines.Text(), "secret")

	conn, err := amqp.Dial("amqp://me:secret@" + addr + "/b")
	require.NoError(t, err)
	closed := conn.NotifyClose(make(chan *amqp.Error, 1))
	interrupt()
	require.True(t, lines.Scan())
	require.Contains(t, lines.Text(), "closing")
	require.Equal(t, 320, (<-closed).Code)
	require.NoError(t, <-done)
}

// TestFlags starts with what the flags can say and looks at the broker from outside.
func TestFlags(t *testing.T) {
	t.Parallel()
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	cert, key := certificate(t)
	definitions := filepath.Join(t.TempDir(), "definitions.json")
	require.NoError(t, os.WriteFile(definitions, []byte(`{"queues": [{"name": "defined", "vhost": "/", "durable": true}]}`), 0o600))
	out, in := io.Pipe()
	done := make(chan error, 1)
	go func() {
		err := run(ctx, []string{"-addr", "127.0.0.1:0", "-tls-addr", "127.0.0.1:0", "-tls-cert", cert, "-tls-key", key,
			"-add-user", "other:word", "-permissions", "other:^$::", "-definitions", definitions, "-management", "127.0.0.1:0",
			"-channel-max", "7", "-frame-max", "8192", "-heartbeat", "5s", "-max-message-size", "10", "-product", "RabbitMQ",
			"-consumer-timeout", "1m", "-login-delay", "1ms"}, in)
		_ = in.Close()
		done <- err
	}()
	lines := bufio.NewScanner(out)
	read := func(pattern string) string {
		for lines.Scan() {
			if m := regexp.MustCompile(pattern).FindStringSubmatch(lines.Text()); m != nil {
				return m[1]
			}
		}
		t.Fatalf("no line like %s", pattern)
		return ""
	}
	api := read(`(http://\S+/api/)`)
	plain, secure := read(`listening on (127\.0\.0\.1:\d+) as`), read(`listening on (127\.0\.0\.1:\d+) with TLS`)

	conn, err := amqp.DialTLS("amqps://guest:guest@"+secure+"/", &tls.Config{InsecureSkipVerify: true})
	require.NoError(t, err)
	require.Equal(t, []any{uint16(7), 8192, 5 * time.Second}, []any{conn.Config.ChannelMax, conn.Config.FrameSize, conn.Config.Heartbeat})
	require.Equal(t, "RabbitMQ", conn.Properties["product"])
	ch, err := conn.Channel()
	require.NoError(t, err)
	_, err = ch.QueueDeclarePassive("defined", true, false, false, false, nil)
	require.NoError(t, err)
	other, err := amqp.Dial("amqp://other:word@" + plain + "/")
	require.NoError(t, err)
	ch, err = other.Channel()
	require.NoError(t, err)
	_, err = ch.QueueDeclare("mine", false, false, false, false, nil)
	require.ErrorContains(t, err, "access to queue 'mine' in vhost '/' refused for user 'other'")

	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, api+"queues/%2F/defined", nil)
	require.NoError(t, err)
	r.SetBasicAuth("guest", "guest")
	resp, err := client.Do(r)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, http.StatusOK, resp.StatusCode)

	interrupt()
	read("(closing)")
	require.NoError(t, <-done)
}

// certificate writes a certificate and its key for this test alone.
func certificate(t *testing.T) (cert, key string) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"localhost"}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	require.NoError(t, err)
	keyDER, err := x509.MarshalECPrivateKey(private)
	require.NoError(t, err)
	cert, key = filepath.Join(t.TempDir(), "cert.pem"), filepath.Join(t.TempDir(), "key.pem")
	require.NoError(t, os.WriteFile(cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	require.NoError(t, os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: keyDER}), 0o600))
	return cert, key
}

func TestSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	require.ErrorContains(t, run(t.Context(), []string{"-addr", taken.Addr().String()}, io.Discard), "listen")
	require.Error(t, run(t.Context(), []string{"-no-such-flag"}, io.Discard))
	require.ErrorContains(t, run(t.Context(), []string{"-add-user", "nopassword"}, io.Discard), "name:password")
	require.ErrorContains(t, run(t.Context(), []string{"-permissions", "a:b"}, io.Discard), "configure")
	require.ErrorContains(t, run(t.Context(), []string{"-tls-cert", "none.pem"}, io.Discard), "-tls-cert")
	free := []string{"-addr", "127.0.0.1:0"}
	require.ErrorIs(t, run(t.Context(), append(free, "-definitions", "none.json"), io.Discard), os.ErrNotExist)
	require.ErrorIs(t, run(t.Context(), append(free, "-permissions", "nobody:::"), io.Discard), amqptest.ErrNotFound)
	require.ErrorContains(t, run(t.Context(), append(free, "-management", taken.Addr().String()), io.Discard), "-management")
	require.ErrorContains(t, run(t.Context(), []string{"-follow", "2.0"}, io.Discard), "3.10, 4.0 or 4.3")
}
