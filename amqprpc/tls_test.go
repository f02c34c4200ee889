package amqprpc_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
)

// certificate returns a self-signed certificate for localhost.
func certificate(t *testing.T) (tls.Certificate, []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// tlsFront starts a TLS listener in front of the broker and returns its amqps URL.
func tlsFront(t *testing.T, brokerURL string, cert tls.Certificate) string {
	t.Helper()
	u, err := url.Parse(brokerURL)
	require.NoError(t, err)
	broker := u.Host
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{cert}})
	require.NoError(t, err)
	var wg sync.WaitGroup
	t.Cleanup(wg.Wait)
	t.Cleanup(func() { l.Close() })
	wg.Go(func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", broker)
			if err != nil {
				in.Close()
				continue
			}
			wg.Go(func() { io.Copy(out, in); out.Close() })
			wg.Go(func() { io.Copy(in, out); in.Close() })
		}
	})
	_, port, err := net.SplitHostPort(l.Addr().String())
	require.NoError(t, err)
	return "amqps://guest:guest@localhost:" + port + u.Path
}

func TestTLS(t *testing.T) {
	t.Parallel()
	broker, queue := brokerURL(t), queueName(t)
	cert, authority := certificate(t)
	secure := tlsFront(t, broker, cert)
	pool := x509.NewCertPool()
	require.True(t, pool.AppendCertsFromPEM(authority))
	trust := amqprpc.WithTLS(&tls.Config{RootCAs: pool})
	file := filepath.Join(t.TempDir(), "ca.pem")
	require.NoError(t, os.WriteFile(file, authority, 0o600))

	startServer(t, secure, func(s *amqprpc.Server) { amqprpc.Register(s, queue, square) }, trust)
	for name, cli := range map[string]*amqprpc.Client{
		"WithTLS":    dial(t, secure, trust),
		"cacertfile": dial(t, secure+"?cacertfile="+url.QueryEscape(file)),
		"plain":      dial(t, broker),
	} {
		var wg sync.WaitGroup
		for i := range 50 {
			wg.Go(func() {
				got, err := amqprpc.Call[int, int](testContext(t), cli, queue, i)
				assert.NoError(t, err, name)
				assert.Equal(t, i*i, got, name)
			})
		}
		wg.Wait()
	}
	body, err := amqprpc.Call[string, int](testContext(t), dial(t, secure, trust), queue, strings.Repeat("x", 300_000))
	require.ErrorIs(t, err, amqprpc.CodeInvalidArgument, "a large body that does not decode: %d", body)

	_, err = amqprpc.Dial(testContext(t), secure, amqprpc.WithLogger(nil))
	require.ErrorContains(t, err, "not trusted")
	_, err = amqprpc.Dial(testContext(t), strings.Replace(secure, "localhost", "127.0.0.1", 1), trust, amqprpc.WithLogger(nil))
	require.ErrorContains(t, err, "not trusted", "the name is checked")
	_, err = amqprpc.Dial(testContext(t), strings.Replace(broker, "amqp://", "amqps://", 1), trust, amqprpc.WithLogger(nil))
	require.ErrorContains(t, err, "does not speak TLS")
	_, err = amqprpc.Dial(testContext(t), secure+"?cacertfile=/nowhere", amqprpc.WithLogger(nil))
	require.ErrorContains(t, err, "/nowhere")
}
