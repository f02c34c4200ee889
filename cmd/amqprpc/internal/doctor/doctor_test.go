package doctor_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
	"github.com/bbebcec1/amqprpc-go/amqprpc/describe"
	"github.com/bbebcec1/amqprpc-go/cmd/amqprpc/internal/doctor"

	amqp "github.com/rabbitmq/amqp091-go"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func info(instance, library string, queues ...string) describe.Info {
	i := describe.Info{Identity: describe.Identity{Instance: instance, Name: "shop"}, Build: describe.Build{Library: library}}
	for _, q := range queues {
		i.Methods = append(i.Methods, describe.Method{Queue: q})
	}
	return i
}

// Each reason why there is no connection has its advice.
func TestDialled(t *testing.T) {
	t.Parallel()
	require.Equal(t, doctor.OK, doctor.Dialled(nil).Result)
	seen := make(map[string]bool)
	for _, code := range []amqprpc.Code{amqprpc.CodeUnauthenticated, amqprpc.CodePermissionDenied, amqprpc.CodeNotFound, amqprpc.CodeFailedPrecondition, amqprpc.CodeInvalidArgument, amqprpc.CodeUnavailable} {
		f := doctor.Dialled(code)
		require.Equal(t, doctor.Problem, f.Result)
		require.NotEmpty(t, f.Advice)
		require.False(t, seen[f.Advice], code)
		seen[f.Advice] = true
	}
}

func TestQueues(t *testing.T) {
	t.Parallel()
	b := amqptest.Start(t)
	conn, err := amqp.Dial(b.URL())
	require.NoError(t, err)
	defer conn.Close()
	ch, err := conn.Channel()
	require.NoError(t, err)
	for _, q := range []string{"good", "idle", "full"} {
		_, err := ch.QueueDeclare(q, false, false, false, false, nil)
		require.NoError(t, err)
	}
	require.NoError(t, ch.Qos(1, 0, false))
	for _, q := range []string{"good", "full"} {
		_, err = ch.Consume(q, "", false, false, false, false, nil)
		require.NoError(t, err)
	}
	for range 1500 {
		require.NoError(t, ch.Publish("", "full", false, false, amqp.Publishing{}))
	}
	require.Eventually(t, func() bool { q, _ := b.Queue("full"); return q.Ready >= 1400 }, 10*time.Second, 5*time.Millisecond)

	long := string(make([]byte, 300))
	found := doctor.Broker(t.Context(), b.URL(), []describe.Info{info("a", "", "good", "idle", "full", "lost", "", long)})
	var texts string
	for _, f := range found {
		texts += f.Result + ": " + f.Text + "\n"
	}
	for _, want := range []string{"problem: queue idle has no consumer", "warning: 1499 messages wait in queue full", "problem: a server says that it serves queue lost", `problem: "" cannot be`} {
		require.Contains(t, texts, want)
	}
	require.NotContains(t, texts, "queue good")

	require.NoError(t, b.Close())
	found = doctor.Broker(t.Context(), b.URL(), nil)
	require.Equal(t, doctor.Unknown, found[0].Result)
	require.NotContains(t, found[0].Text, "guest")
}

func TestClocks(t *testing.T) {
	t.Parallel()
	now := time.Now()
	of := func(skew time.Duration) doctor.Stats {
		return doctor.Stats{Stats: describe.Stats{Time: now.Add(skew)}, Asked: now.Add(-100 * time.Millisecond), Got: now.Add(100 * time.Millisecond)}
	}
	require.Equal(t, doctor.OK, doctor.Clocks([]doctor.Stats{of(0), of(time.Second), of(-time.Second)})[0].Result)
	require.Empty(t, doctor.Clocks(nil))
	ahead := doctor.Clocks([]doctor.Stats{of(0), of(time.Minute)})
	require.Len(t, ahead, 1)
	require.Contains(t, ahead[0].Text, "59.9s ahead of")
	require.Contains(t, doctor.Clocks([]doctor.Stats{of(-time.Minute)})[0].Text, "behind")
	var all []doctor.Stats
	for range 10_000 {
		all = append(all, of(time.Hour))
	}
	require.Len(t, doctor.Clocks(all), 21)
}

func TestDifferences(t *testing.T) {
	t.Parallel()
	require.Equal(t, doctor.OK, doctor.Differences([]describe.Info{info("a", "v1", "q"), info("b", "v1", "q")})[0].Result)
	require.Empty(t, doctor.Differences(nil))
	found := doctor.Differences([]describe.Info{info("a", "v1", "q"), info("b", "v2", "r")})
	require.Contains(t, found[0].Text, "v1 (1), v2 (1)")
	var many []describe.Info
	for i := range 2000 {
		many = append(many, info(fmt.Sprint(i), fmt.Sprint(i), fmt.Sprint("q", i)), describe.Info{Identity: describe.Identity{Instance: "x", Name: "other"}, Methods: []describe.Method{{Queue: fmt.Sprint("q", i), Kind: "unary"}}})
	}
	found = doctor.Differences(many)
	require.LessOrEqual(t, len(found), 21)
	for _, f := range found {
		require.Less(t, len(f.Text), 500)
	}
}

func TestDiscoveryAndServed(t *testing.T) {
	t.Parallel()
	require.Equal(t, doctor.OK, doctor.Discovery(doctor.Answers{Infos: []describe.Info{{}}})[0].Result)
	require.Contains(t, doctor.Discovery(doctor.Answers{})[0].Advice, "WithoutControl")
	require.Contains(t, doctor.Discovery(doctor.Answers{Err: amqprpc.CodePermissionDenied})[0].Advice, "amqprpc")
	require.Equal(t, doctor.Unknown, doctor.Discovery(doctor.Answers{Err: amqprpc.CodeUnavailable})[0].Result)
	require.Len(t, doctor.Discovery(doctor.Answers{Broken: make([]string, 1000)}), 7)
	stats := doctor.Stats{Stats: describe.Stats{Methods: []describe.MethodStats{{Queue: "a", Served: true}, {Queue: "b"}}}}
	require.Len(t, doctor.Unserved([]doctor.Stats{stats}), 1)
	require.Empty(t, doctor.Blocked(amqprpc.ClientStatus{}))
	require.Contains(t, doctor.Blocked(amqprpc.ClientStatus{Connection: amqprpc.ConnectionStatus{Blocked: true, BlockedReason: "low on memory"}})[0].Text, "low on memory")
}
