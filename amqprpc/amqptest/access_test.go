package amqptest_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
)

// forbidden is what a user may not do, and to what.
type forbidden struct {
	do func(ch *amqp.Channel) error
	of string
}

func TestPermissions(t *testing.T) {
	t.Parallel()
	b := newBroker(t, amqptest.WithUser("admin", "x"), amqptest.WithUser("me", "y"),
		amqptest.WithPermissions("me", "^mine", "^(mine|amq.default)", "^(mine|amq.topic)"))
	admin, err := amqp.Dial("amqp://admin:x@" + b.Addr())
	require.NoError(t, err)
	defer admin.Close()
	declare(t, open(t, admin), "theirs", nil)

	conn, err := amqp.Dial("amqp://me:y@" + b.Addr())
	require.NoError(t, err)
	defer conn.Close()
	ch := open(t, conn)
	declare(t, ch, "mine", nil)
	bind(t, ch, "mine", "#", "amq.topic", nil)
	publish(t, ch, "mine", "x")
	require.Equal(t, 1, count(t, ch, "mine"))
	require.Equal(t, 0, count(t, ch, "theirs"), "a passive declaration needs no right")

	queue, exchange := "queue 'theirs' in vhost '/'", "exchange 'theirs' in vhost '/'"
	for name, c := range map[string]forbidden{
		"declare": {func(ch *amqp.Channel) error {
			_, err := ch.QueueDeclare("theirs", false, false, false, false, nil)
			return err
		}, queue},
		"delete": {func(ch *amqp.Channel) error { _, err := ch.QueueDelete("theirs", false, false, false); return err }, queue},
		"purge":  {func(ch *amqp.Channel) error { _, err := ch.QueuePurge("theirs", false); return err }, queue},
		"get":    {func(ch *amqp.Channel) error { _, _, err := ch.Get("theirs", true); return err }, queue},
		"consume": {func(ch *amqp.Channel) error {
			_, err := ch.Consume("theirs", "", true, false, false, false, nil)
			return err
		}, queue},
		"bind":      {func(ch *amqp.Channel) error { return ch.QueueBind("theirs", "", "amq.topic", false, nil) }, queue},
		"bind from": {func(ch *amqp.Channel) error { return ch.QueueBind("mine", "", "theirs", false, nil) }, exchange},
		"exchange": {func(ch *amqp.Channel) error {
			return ch.ExchangeDeclare("theirs", "fanout", false, false, false, false, nil)
		}, exchange},
		"delete exchange": {func(ch *amqp.Channel) error { return ch.ExchangeDelete("theirs", false, false) }, exchange},
		"dead letters": {func(ch *amqp.Channel) error {
			_, err := ch.QueueDeclare("mine2", false, false, false, false, amqp.Table{"x-dead-letter-exchange": "theirs"})
			return err
		}, exchange},
		"server-named": {func(ch *amqp.Channel) error {
			_, err := ch.QueueDeclare("", false, false, true, false, nil)
			return err
		}, "queue 'amq.gen-"},
	} {
		t.Run(name, func(t *testing.T) {
			var e *amqp.Error
			require.ErrorAs(t, c.do(open(t, conn)), &e)
			require.Equal(t, 403, e.Code)
			require.True(t, strings.HasPrefix(e.Reason, "ACCESS_REFUSED - access to "+c.of), e.Reason)
			require.True(t, strings.HasSuffix(e.Reason, "refused for user 'me'"), e.Reason)
		})
	}
	closed := ch.NotifyClose(make(chan *amqp.Error, 1))
	send(t, ch, "amq.topic", "x", nil)
	requireCode(t, receive(t, closed), 403, "ACCESS_REFUSED - access to exchange 'amq.topic' in vhost '/' refused for user 'me'")
}

func TestUsersTakeTheGuestsPlace(t *testing.T) {
	t.Parallel()
	b := newBroker(t, amqptest.WithUser("b", "1"), amqptest.WithUser("a", "2"))
	require.Equal(t, "amqp://a:2@"+b.Addr()+"/", b.URL())
	dial(t, b)
	_, err := amqp.Dial("amqp://guest:guest@" + b.Addr())
	require.ErrorIs(t, err, amqp.ErrCredentials)
}

func TestVHostsAreApart(t *testing.T) {
	t.Parallel()
	b := newBroker(t, amqptest.WithVHosts("other"))
	declare(t, open(t, dial(t, b)), "q", nil)
	conn, err := amqp.Dial(b.URL() + "other")
	require.NoError(t, err)
	defer conn.Close()
	_, err = open(t, conn).QueueDeclarePassive("q", false, false, false, false, nil)
	requireCode(t, err, 404, "NOT_FOUND - no queue 'q' in vhost 'other'")
}

// selfSigned is a certificate for 127.0.0.1, and the roots that trust it.
func selfSigned(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	cert, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	roots := x509.NewCertPool()
	roots.AddCert(cert)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, roots
}

func TestTLS(t *testing.T) {
	t.Parallel()
	cert, roots := selfSigned(t)
	b := newBroker(t, amqptest.WithTLS(&tls.Config{Certificates: []tls.Certificate{cert}}))
	require.True(t, strings.HasPrefix(b.URL(), "amqps://"))
	conn, err := amqp.DialTLS(b.URL(), &tls.Config{RootCAs: roots})
	require.NoError(t, err)
	defer conn.Close()
	ch := open(t, conn)
	declare(t, ch, "q", nil)
	require.NoError(t, ch.Publish("", "q", false, false, amqp.Publishing{Body: make([]byte, 100_000)}))
	require.Len(t, receive(t, consume(t, ch, "q", "", true, nil)).Body, 100_000)
	closed := conn.NotifyClose(make(chan *amqp.Error, 1))
	require.Equal(t, 1, b.CutConnections())
	require.NotNil(t, receive(t, closed))
}
