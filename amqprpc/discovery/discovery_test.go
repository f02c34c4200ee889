package discovery_test

import (
	"context"
	"maps"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/amqprpc/describe"
	"github.com/bbebcec1/amqprpc-go/amqprpc/discovery"
	"github.com/bbebcec1/amqprpc-go/codec"
)

// patiently keeps slow machines from missing a server.
func patiently() discovery.Filter { return discovery.Quiet(10 * time.Second) }

// Each server of a service is found once, with what it says of itself.
func TestInstances(t *testing.T) {
	t.Parallel()
	url, service := brokerURL(t), unique(t)
	servers := make(map[string]*amqprpc.Server)
	for range 3 {
		s, _ := serve(t, url, func(s *amqprpc.Server) {
			amqprpc.Register(s, service+".b", square)
			amqprpc.Register(s, service+".a", square)
		}, amqprpc.WithService(amqprpc.Service{Name: service, Version: "1.2"}))
		servers[s.Instance()] = s
	}
	for name, opts := range map[string][]amqprpc.ClientOption{
		"as usual": nil, "messagepack": {amqprpc.WithCodec(codec.MsgPack{})}, "direct": {amqprpc.WithReplyMode(amqprpc.ReplyDirect)},
	} {
		cli := dial(t, url, opts...)
		found(t, cli, slices.Collect(maps.Values(servers))...)
		got := make(map[string]bool)
		for d, err := range discovery.Instances(testContext(t), cli, discovery.OfService(service), patiently()) {
			require.NoError(t, err, name)
			host, _ := os.Hostname()
			require.Equal(t, describe.TypePing, d.Type)
			require.Equal(t, service, d.Name)
			require.Equal(t, "1.2", d.Version)
			require.Equal(t, host, d.Host)
			require.Equal(t, os.Getpid(), d.PID)
			require.WithinDuration(t, time.Now(), d.Started, time.Minute)
			require.Equal(t, []string{service + ".a", service + ".b"}, d.Methods)
			require.Contains(t, servers, d.Instance)
			got[d.Instance] = true
		}
		require.Len(t, got, 3, name)
	}
}

// Where nobody is, a question ends without a pair.
func TestNobody(t *testing.T) {
	t.Parallel()
	url, service := brokerURL(t), unique(t)
	cli := dial(t, url)
	ask := func(filters ...discovery.Filter) {
		t.Helper()
		for d, err := range discovery.Info(testContext(t), cli, filters...) {
			require.Failf(t, "somebody", "%+v, %v", d, err)
		}
	}
	if node == nil {
		ask(discovery.Quiet(time.Hour)) // there is no exchange
	}
	ask(discovery.OfInstance("nobody"), discovery.Quiet(time.Hour))
	srv, stop := serve(t, url, func(s *amqprpc.Server) { amqprpc.Register(s, service, square) })
	found(t, cli, srv)
	ask(discovery.OfService(service))
	ask(discovery.OfQueue(service + " "))
	ask(discovery.OfInstance(srv.Instance()), discovery.OfService("another"), discovery.Quiet(time.Millisecond))
	stop()
	ask(discovery.OfInstance(srv.Instance()), discovery.Quiet(time.Hour))
	if node == nil {
		ask(discovery.Quiet(time.Hour)) // there is the exchange, and nothing is bound to it
	}
}

// A range is a question, and a break ends it.
func TestRanges(t *testing.T) {
	t.Parallel()
	url, service := brokerURL(t), unique(t)
	cli := dial(t, url)
	var all []*amqprpc.Server
	for range 2 {
		s, _ := serve(t, url, func(s *amqprpc.Server) { amqprpc.Register(s, service, square) })
		all = append(all, s)
	}
	found(t, cli, all...)
	question := discovery.Instances(testContext(t), cli, discovery.OfQueue(service), patiently())
	for range 2 {
		n := 0
		for _, err := range question {
			require.NoError(t, err)
			n++
		}
		require.Equal(t, 2, n)
	}
	for range question {
		break
	}
	require.Zero(t, cli.Stats().Pending)
}

// An error of the whole question is the last pair, and is no InstanceError.
func TestQuestionFails(t *testing.T) {
	t.Parallel()
	url := brokerURL(t)
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	without := dial(t, url, amqprpc.WithoutControl())
	closed, err := amqprpc.Dial(testContext(t), url, amqprpc.WithLogger(nil))
	require.NoError(t, err)
	require.NoError(t, closed.Close())
	for _, tt := range []struct {
		ctx  context.Context
		cli  *amqprpc.Client
		code amqprpc.Code
	}{
		{ended, dial(t, url), amqprpc.CodeCanceled},
		{testContext(t), without, amqprpc.CodeFailedPrecondition},
		{testContext(t), closed, amqprpc.CodeCanceled},
	} {
		pairs := 0
		for d, err := range discovery.Stats(tt.ctx, tt.cli) {
			pairs++
			require.ErrorIs(t, err, tt.code)
			require.NotErrorAs(t, err, new(*discovery.InstanceError))
			require.Zero(t, d)
		}
		require.Equal(t, 1, pairs)
	}
	for _, err := range discovery.Stats(ended, dial(t, url), discovery.OfInstance("x")) {
		require.ErrorIs(t, err, amqprpc.CodeCanceled)
		require.NotErrorAs(t, err, new(*discovery.InstanceError))
	}
}

// The counters arrive, with the depth of the queue.
func TestStats(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), unique(t)
	srv, _ := serve(t, url, func(s *amqprpc.Server) {
		amqprpc.Register(s, queue, func(_ context.Context, n int) (int, error) {
			if n < 0 {
				return 0, amqprpc.Errorf(amqprpc.CodeOutOfRange, "too small")
			}
			return n, nil
		})
	})
	cli := dial(t, url)
	found(t, cli, srv)
	for i := range 5 {
		_, err := amqprpc.Call[int, int](testContext(t), cli, queue, i-2)
		require.Equal(t, i < 2, err != nil)
	}
	for _, filter := range []discovery.Filter{discovery.OfQueue(queue), discovery.OfInstance(srv.Instance())} {
		n := 0
		for d, err := range discovery.Stats(testContext(t), cli, filter, patiently()) {
			n++
			require.NoError(t, err)
			require.WithinDuration(t, time.Now(), d.Time, time.Minute)
			require.Len(t, d.Methods, 1)
			m := d.Methods[0]
			require.Equal(t, queue, m.Queue)
			require.True(t, m.Served)
			require.Equal(t, map[string]int64{"ok": 3, "out_of_range": 2}, m.Calls)
			require.EqualValues(t, 5, m.Handler.Count)
			require.EqualValues(t, 5, m.Queued.Count)
			require.Len(t, m.Failures, 1)
			require.Equal(t, "too small", m.Failures[0].Message)
			require.EqualValues(t, 2, m.Failures[0].Count)
			require.NotNil(t, m.Depth)
			require.Zero(t, *m.Depth)
			require.Equal(t, 1, *m.Consumers)
		}
		require.Equal(t, 1, n)
	}
}

// A description arrives as the server itself makes it.
func TestInfo(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), unique(t)
	srv, _ := serve(t, url, func(s *amqprpc.Server) {
		amqprpc.Register(s, queue, square, amqprpc.WithDoc("squares"), amqprpc.WithExample(3), amqprpc.WithErrors(amqprpc.CodeOutOfRange))
	}, amqprpc.WithService(amqprpc.Service{Name: "squares", Metadata: map[string]string{"team": "maths"}}))
	cli := dial(t, url)
	found(t, cli, srv)
	want, err := srv.Describe()
	require.NoError(t, err)
	n := 0
	for d, err := range discovery.Info(testContext(t), cli, discovery.OfQueue(queue), patiently()) {
		n++
		require.NoError(t, err)
		require.WithinDuration(t, want.Started, d.Started, 0)
		d.Started = want.Started // the monotonic clock and the zone do not travel
		require.Equal(t, want, d)
	}
	require.Equal(t, 1, n)
}
