package amqptest_test

import (
	"crypto/tls"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
)

// dialAs connects as a user, to a virtual host.
func dialAs(t *testing.T, b *amqptest.Broker, user, password, vhost string) (*amqp.Connection, error) {
	t.Helper()
	u := url.URL{Scheme: "amqp", User: url.UserPassword(user, password), Host: b.Addr(), Path: "/" + vhost}
	conn, err := amqp.Dial(u.String())
	if err == nil {
		t.Cleanup(func() { _ = conn.Close() })
	}
	return conn, err
}

func TestUsersComeAndGo(t *testing.T) {
	t.Parallel()
	b := newBroker(t, amqptest.WithVHosts("other"))
	b.SetUser("u", "secret", "management")
	require.Equal(t, []amqptest.UserInfo{{Name: "guest", Tags: []string{"administrator"}}, {Name: "u", Tags: []string{"management"}}}, b.Users())
	require.True(t, b.Authenticate("u", "secret"))
	require.False(t, b.Authenticate("u", ""))
	require.False(t, b.Authenticate("nobody", ""))
	_, err := dialAs(t, b, "u", "secret", "other")
	require.ErrorContains(t, err, "access to vhost 'other' refused for user 'u'")

	require.ErrorIs(t, b.SetPermissions("other", "nobody", "", "", ""), amqptest.ErrNotFound)
	require.ErrorIs(t, b.SetPermissions("none", "u", "", "", ""), amqptest.ErrNotFound)
	require.Error(t, b.SetPermissions("other", "u", "(", "", ""))
	require.NoError(t, b.SetPermissions("other", "u", "^q", ".*", ""))
	require.Contains(t, b.Permissions(), amqptest.PermissionInfo{User: "u", VHost: "other", Configure: "^q", Write: ".*", Read: "^$"})
	conn, err := dialAs(t, b, "u", "secret", "other")
	require.NoError(t, err)
	declare(t, open(t, conn), "q", nil)
	_, ok := b.Queue("q")
	require.False(t, ok, "it is in the other virtual host")
	_, ok = b.VHost("other").Queue("q")
	require.True(t, ok)

	require.NoError(t, b.ClearPermissions("other", "u"))
	_, err = open(t, conn).QueueDeclare("q2", false, false, false, false, nil)
	require.ErrorContains(t, err, "access to queue 'q2'")
	closed := conn.NotifyClose(make(chan *amqp.Error, 1))
	require.True(t, b.DeleteUser("u"))
	require.False(t, b.DeleteUser("u"))
	requireCode(t, receive(t, closed), 320, "CONNECTION_FORCED - user 'u' is deleted")
}

func TestVHostsComeAndGo(t *testing.T) {
	t.Parallel()
	b := newBroker(t)
	v := b.VHost("new")
	_, ok := v.Queue("q")
	require.False(t, ok)
	require.ErrorIs(t, v.SetDefaultQueueType("quorum"), amqptest.ErrNotFound)
	require.ErrorIs(t, v.SetPolicy(amqptest.Policy{Name: "p", Definition: map[string]any{"expires": 1}}), amqptest.ErrNotFound)
	require.True(t, b.AddVHost("new"))
	require.False(t, b.AddVHost("new"))
	require.Equal(t, []string{"/", "new"}, b.VHosts())
	require.Error(t, v.SetDefaultQueueType("stream"))
	require.NoError(t, v.SetDefaultQueueType("quorum"))

	conn, err := dialAs(t, b, "guest", "guest", "new")
	require.NoError(t, err)
	ch := open(t, conn)
	_, err = ch.QueueDeclare("q", true, false, false, false, nil)
	require.NoError(t, err)
	publish(t, ch, "q", "1", "2", "3")
	require.Equal(t, 3, count(t, ch, "q"))
	require.Equal(t, "quorum", v.Queues()[0].Type)
	require.Len(t, v.Messages("q"), 3)
	require.Nil(t, b.Messages("q"))
	consume(t, ch, "q", "c", false, nil)
	cancelled := ch.NotifyCancel(make(chan string, 1))
	require.False(t, b.CancelConsumer("q", "c"))
	require.True(t, v.CancelConsumer("q", "c"))
	require.Equal(t, "c", receive(t, cancelled))

	closed := conn.NotifyClose(make(chan *amqp.Error, 1))
	require.True(t, b.DeleteVHost("new"))
	require.False(t, b.DeleteVHost("new"))
	requireCode(t, receive(t, closed), 320, "CONNECTION_FORCED - vhost 'new' is deleted")
	require.Empty(t, v.Queues())
	require.NoError(t, b.CheckInvariants())
}

func TestQueuesAreDeletedAndPurged(t *testing.T) {
	t.Parallel()
	b := newBroker(t)
	ch := open(t, dial(t, b))
	declare(t, ch, "q", nil)
	consume(t, ch, "q", "c", false, nil)
	v := b.VHost("/")
	require.ErrorIs(t, v.DeleteQueue("q", amqptest.IfUnused), amqptest.ErrQueueInUse)
	require.NoError(t, ch.Cancel("c", false))
	publish(t, ch, "q", "1", "2")
	require.Equal(t, 2, count(t, ch, "q"))
	require.ErrorIs(t, v.DeleteQueue("q", amqptest.IfEmpty), amqptest.ErrQueueNotEmpty)
	n, err := v.PurgeQueue("q")
	require.NoError(t, err)
	require.Equal(t, 2, n)
	require.NoError(t, v.DeleteQueue("q", amqptest.IfEmpty, amqptest.IfUnused))
	require.ErrorIs(t, v.DeleteQueue("q"), amqptest.ErrNotFound)
	_, err = v.PurgeQueue("q")
	require.ErrorIs(t, err, amqptest.ErrNotFound)
}

func TestPoliciesThatAreWrong(t *testing.T) {
	t.Parallel()
	v := newBroker(t).VHost("/")
	for _, tt := range []struct {
		p    amqptest.Policy
		want string
	}{
		{amqptest.Policy{Name: "p"}, `policy "p": it defines nothing`},
		{amqptest.Policy{Pattern: "(", Definition: map[string]any{"expires": 1}}, "missing closing"},
		{amqptest.Policy{ApplyTo: "streams", Definition: map[string]any{"expires": 1}}, `cannot apply to "streams"`},
		{amqptest.Policy{Definition: map[string]any{"x-expires": 1}}, `"x-expires" is not known`},
		{amqptest.Policy{Definition: map[string]any{"expires": 0}}, "expires: {value_zero,0}"},
		{amqptest.Policy{Definition: map[string]any{"message-ttl": "1"}}, "message-ttl: \"expected integer, got longstr\""},
		{amqptest.Policy{Definition: map[string]any{"max-length": 1.5}}, "max-length: 1.5 is neither"},
		{amqptest.Policy{Definition: map[string]any{"alternate-exchange": 1}}, "alternate-exchange is no string"},
		{amqptest.Policy{Definition: map[string]any{"delivery-limit": "x"}}, "delivery-limit"},
		{amqptest.Policy{Definition: map[string]any{"overflow": "explode"}}, "overflow: invalid_overflow"},
	} {
		require.ErrorContains(t, v.SetPolicy(tt.p), tt.want)
	}
	require.Empty(t, v.Policies())
	require.NoError(t, v.SetPolicy(amqptest.Policy{Name: "p", Definition: map[string]any{"max-length": uint8(1), "queue-mode": "lazy"}}))
	require.Equal(t, "all", v.Policies()[0].ApplyTo)
	require.True(t, v.DeletePolicy("p"))
	require.False(t, v.DeletePolicy("p"))
}

func TestStopAndKill(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		stop func(*amqptest.Broker)
		told bool
	}{{"stop", (*amqptest.Broker).Stop, true}, {"kill", (*amqptest.Broker).Kill, false}} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := newBroker(t)
			conn := dial(t, b)
			ch := open(t, conn)
			declare(t, ch, "transient", nil)
			_, err := ch.QueueDeclare("durable", true, false, false, false, nil)
			require.NoError(t, err)
			publish(t, ch, "durable", "lost")
			require.NoError(t, ch.Publish("", "durable", false, false, amqp.Publishing{DeliveryMode: amqp.Persistent, Body: []byte("kept")}))
			require.Equal(t, 2, count(t, ch, "durable"))
			closed := conn.NotifyClose(make(chan *amqp.Error, 1))
			tt.stop(b)
			if e := receive(t, closed); tt.told {
				requireCode(t, e, 320, "CONNECTION_FORCED - broker forced connection closure with reason 'shutdown'")
			} else {
				require.NotEqual(t, 320, e.Code)
			}
			_, err = amqp.Dial(b.URL())
			require.Error(t, err)
			addr := b.Addr()
			require.NoError(t, b.AcceptConnections())
			require.Equal(t, addr, b.Addr())
			require.Len(t, b.Queues(), 1)
			require.Len(t, b.Messages("durable"), 1)
			dial(t, b)
		})
	}
}

func TestAlarmsApart(t *testing.T) {
	t.Parallel()
	b := newBroker(t)
	conn := dial(t, b)
	blocked := conn.NotifyBlocked(make(chan amqp.Blocking, 3))
	ch := open(t, conn)
	require.Empty(t, b.Alarms())
	b.RaiseAlarm(amqptest.DiskAlarm)
	b.RaiseAlarm(amqptest.MemoryAlarm)
	require.Equal(t, []amqptest.Alarm{amqptest.MemoryAlarm, amqptest.DiskAlarm}, b.Alarms())
	publish(t, ch, "nobody", "x")
	require.Equal(t, amqp.Blocking{Active: true, Reason: "low on disk & memory"}, receive(t, blocked))
	b.ClearAlarm(amqptest.MemoryAlarm)
	require.True(t, b.Connections()[0].Info().Blocked)
	b.ClearAlarm(amqptest.DiskAlarm)
	require.Equal(t, amqp.Blocking{}, receive(t, blocked))
}

func TestPlainAndTLS(t *testing.T) {
	t.Parallel()
	cert, roots := selfSigned(t)
	b := newBroker(t, amqptest.WithTLSListener("", &tls.Config{Certificates: []tls.Certificate{cert}}))
	require.NotEqual(t, b.Addr(), b.TLSAddr())
	require.True(t, strings.HasPrefix(b.TLSURL(), "amqps://guest:guest@"+b.TLSAddr()))
	dial(t, b)
	for range 2 {
		conn, err := amqp.DialTLS(b.TLSURL(), &tls.Config{RootCAs: roots})
		require.NoError(t, err)
		open(t, conn)
		all := b.Connections()
		require.True(t, all[len(all)-1].Info().TLS)
		require.NoError(t, conn.Close())
		b.RefuseConnections()
		_, err = amqp.DialTLS(b.TLSURL(), &tls.Config{RootCAs: roots})
		require.Error(t, err)
		require.NoError(t, b.AcceptConnections())
	}
}

func TestConnectionsAreIdentified(t *testing.T) {
	t.Parallel()
	b := newBroker(t)
	one, two := dialNamed(t, b, "same"), dialNamed(t, b, "same")
	all := b.Connections()
	require.Equal(t, one.LocalAddr().String(), all[0].RemoteAddr().String())
	require.Equal(t, two.LocalAddr().String(), all[1].RemoteAddr().String())
	require.NotEqual(t, all[0].ID(), all[1].ID())
	id := all[1].ID()
	require.NoError(t, one.Close())
	require.Equal(t, id, b.Connections()[0].ID())
	record := b.Record()
	declare(t, open(t, two), "q", nil)
	events, err := record.Wait(t.Context(), 1, func(e amqptest.Event) bool { return e.Kind == amqptest.QueueCreated })
	require.NoError(t, err)
	require.Equal(t, id, events[0].ConnectionID)
}

func TestLoginDelayAndProduct(t *testing.T) {
	t.Parallel()
	const delay = 150 * time.Millisecond
	b := newBroker(t, amqptest.WithLoginDelay(delay), amqptest.WithProduct("RabbitMQ"))
	began := time.Now()
	_, err := dialAs(t, b, "guest", "wrong", "")
	require.ErrorIs(t, err, amqp.ErrCredentials)
	require.GreaterOrEqual(t, time.Since(began), delay)
	require.Equal(t, "RabbitMQ", dial(t, b).Properties["product"])
}

func TestGlobalPrefetchStarvesNoQueue(t *testing.T) {
	t.Parallel()
	b := newBroker(t)
	ch := open(t, dial(t, b))
	require.NoError(t, ch.Qos(1, 0, true))
	deliveries := make(chan amqp.Delivery, 60) // all there are, so that no forwarder waits
	for i := range 3 {
		q := fmt.Sprint(i)
		declare(t, ch, q, nil)
		ds := consume(t, ch, q, q, false, nil)
		go func() {
			for d := range ds {
				deliveries <- d
			}
		}()
	}
	for range 20 {
		for i := range 3 {
			publish(t, ch, fmt.Sprint(i), "x")
		}
	}
	had := map[string]int{}
	for range 30 {
		d := receive(t, deliveries)
		had[d.ConsumerTag]++
		require.NoError(t, d.Ack(false))
	}
	for tag, n := range had {
		require.Greater(t, n, 5, "queue %s of %v", tag, had)
	}
	require.Len(t, had, 3)
	require.NoError(t, ch.Close())
}
