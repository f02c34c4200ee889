package amqprpc_test

import (
	"bytes"
	"context"
	"net"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
)

// userURLs returns URLs of one broker for n users, and their names.
func userURLs(t *testing.T, n int) (urls, names []string) {
	t.Helper()
	brokerURL(t) // makes go test's cache depend on the broker
	var opts []amqptest.Option
	for range n {
		name := "u" + uuid.NewString()[:8]
		names = append(names, name)
		opts = append(opts, amqptest.WithUser(name, "pw"))
		if node == nil {
			continue
		}
		for _, args := range [][]string{{"add_user", name, "pw"}, {"set_permissions", name, ".*", ".*", ".*"}} {
			_, err := node.Ctl(testContext(t), args...)
			require.NoError(t, err)
		}
	}
	var base string
	if node != nil {
		base = node.URL()
	} else {
		base = amqptest.Start(t, opts...).URL()
	}
	credentials := regexp.MustCompile(`//[^@]*@`)
	for _, name := range names {
		urls = append(urls, credentials.ReplaceAllString(base, "//"+name+":pw@"))
	}
	return urls, names
}

// replacedConn replaces bytes of what is written by others of the same length.
type replacedConn struct {
	net.Conn
	old, new []byte
}

func (c *replacedConn) Write(p []byte) (int, error) {
	return c.Conn.Write(bytes.Replace(p, c.old, c.new, 1))
}

// loggingInAs replaces the user in the handshake.
func loggingInAs(name, other string) amqprpc.ConnOption {
	return amqprpc.WithDialer(func(network, addr string) (net.Conn, error) {
		c, err := net.Dial(network, addr)
		return &replacedConn{c, []byte("\x00" + name + "\x00pw"), []byte("\x00" + other + "\x00pw")}, err
	})
}

// whoCalls is a handler that returns the user of its caller.
func whoCalls(ctx context.Context, _ amqprpc.None) (string, error) {
	req, _ := amqprpc.RequestFromContext(ctx)
	return req.UserID(), nil
}

// A server knows the user of a client that names it, and of no other client.
func TestUserID(t *testing.T) {
	t.Parallel()
	urls, names := userURLs(t, 3)
	queue := amqprpc.Method[amqprpc.None, string](queueName(t))
	heard := make(chan string, 1)
	startServer(t, urls[0], func(s *amqprpc.Server) {
		queue.Register(s, whoCalls)
		amqprpc.Register(s, string(queue)+".heard", func(ctx context.Context, _ amqprpc.None) (amqprpc.None, error) {
			who, err := whoCalls(ctx, amqprpc.None{})
			heard <- who
			return amqprpc.None{}, err
		})
	})
	for i, name := range names {
		cli := dial(t, urls[i], amqprpc.WithUserID(), amqprpc.WithMiddleware(func(next amqprpc.Invoker) amqprpc.Invoker {
			return func(ctx context.Context, req *amqprpc.Request) (*amqprpc.Response, error) {
				if req.UserID() != "" {
					return nil, amqprpc.Errorf(amqprpc.CodeInternal, "a client's request has a user")
				}
				return next(ctx, req)
			}
		}))
		got, err := queue.Call(testContext(t), cli, amqprpc.None{})
		require.NoError(t, err)
		require.Equal(t, name, got)
		require.NoError(t, amqprpc.Notify(testContext(t), cli, string(queue)+".heard", amqprpc.None{}))
		require.Equal(t, name, <-heard)
	}
	got, err := queue.Call(testContext(t), dial(t, urls[1]), amqprpc.None{})
	require.NoError(t, err)
	require.Empty(t, got)
}

// The user of a client is that of its URL, and Dial finds out whether the broker agrees.
func TestUserIDOfTheURL(t *testing.T) {
	t.Parallel()
	urls, names := userURLs(t, 2)
	long := "amqp://" + strings.Repeat("u", 256) + ":pw@127.0.0.1:1/"
	for name, c := range map[string]struct {
		url string
		opt amqprpc.ClientOption
		ok  bool
	}{
		"one user":              {urls[0], amqprpc.WithBrokers(urls[0], urls[0]), true},
		"guest by default":      {"amqp://127.0.0.1:1/", amqprpc.WithLogger(nil), true},
		"two users":             {urls[0], amqprpc.WithBrokers(urls[0], urls[1]), false},
		"no user":               {"amqp://:pw@127.0.0.1:1/", amqprpc.WithLogger(nil), false},
		"a certificate's":       {"amqp://127.0.0.1:1/?auth_mechanism=external", amqprpc.WithLogger(nil), false},
		"a certificate's, said": {"amqp://shop@127.0.0.1:1/?auth_mechanism=EXTERNAL", amqprpc.WithLogger(nil), true},
		"a name too long":       {long, amqprpc.WithLogger(nil), false},
	} {
		cli, err := amqprpc.NewClient(c.url, c.opt, amqprpc.WithUserID(), amqprpc.WithLogger(nil))
		if c.ok {
			require.NoError(t, err, name)
			require.NoError(t, cli.Close())
			continue
		}
		require.ErrorIs(t, err, amqprpc.CodeInvalidArgument, name)
		require.ErrorContains(t, err, "WithUserID", name)
	}
	// Credentials that are replaced on their way stand for a broker that knows the user under
	// another name.
	_, err := amqprpc.Dial(testContext(t), urls[0], amqprpc.WithLogger(nil), amqprpc.WithUserID(), loggingInAs(names[0], names[1]))
	require.ErrorIs(t, err, amqprpc.CodeFailedPrecondition)
	require.ErrorContains(t, err, "the broker knows the connection under another name")
}

// A redelivered request keeps its user, though a server publishes a copy of it.
func TestUserIDOfRedelivered(t *testing.T) {
	t.Parallel()
	urls, names := userURLs(t, 3)
	const caller, server, other = 0, 1, 2
	for name, c := range map[string]struct {
		copier int // the user of the server that copies the request
		m      amqp.Publishing
		want   string
	}{
		"same user":                   {server, amqp.Publishing{UserId: names[caller]}, names[caller]},
		"another user":                {other, amqp.Publishing{UserId: names[caller]}, ""},
		"no user":                     {server, amqp.Publishing{}, ""},
		"a forged copy":               {server, amqp.Publishing{UserId: names[caller], Headers: amqp.Table{"rpc-user-id": names[server]}}, ""},
		"a forged copy of nobody":     {server, amqp.Publishing{Headers: amqp.Table{"rpc-user-id": names[server]}}, ""},
		"a forged copy, not a string": {server, amqp.Publishing{UserId: names[caller], Headers: amqp.Table{"rpc-user-id": int64(1)}}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			queue := queueName(t)
			p := newPeer(t, urls[caller])
			_, err := p.ch.QueueDeclare(queue, true, false, false, false, nil)
			require.NoError(t, err)
			t.Cleanup(func() { newPeer(t, urls[caller]).ch.QueueDelete(queue, false, false, false) })
			c.m.Body = []byte("{}")
			p.send(queue, c.m)
			killer(t, urls[caller], queue)
			// The first server copies the request, and hands the copy back. The drain limit
			// leaves time to acknowledge the request.
			started := make(chan string)
			_, stop := serve(t, urls[c.copier], func(s *amqprpc.Server) {
				amqprpc.Register(s, queue, func(ctx context.Context, _ amqprpc.None) (string, error) {
					who, _ := whoCalls(ctx, amqprpc.None{})
					started <- who
					<-ctx.Done()
					return "", ctx.Err()
				})
			}, amqprpc.WithDrainTimeout(200*time.Millisecond))
			<-started
			require.Error(t, stop())
			// The second one copies the copy.
			srv, _ := startServer(t, urls[server], func(s *amqprpc.Server) { amqprpc.Register(s, queue, whoCalls) })
			require.JSONEq(t, `"`+c.want+`"`, string(p.reply().Body))
			require.EqualValues(t, 1, srv.Stats().Redelivered, "the copy of the copy")
		})
	}
}
