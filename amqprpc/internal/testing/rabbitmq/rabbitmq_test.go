package rabbitmq

import (
	"context"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// needBroker skips tests of this package itself if AMQPRPC_RABBITMQ is unset. If it is
// set and the broker is missing, the tests fail.
func needBroker(t *testing.T) Config {
	t.Helper()
	version := os.Getenv(EnvVersion)
	if version == "" {
		t.Skip("no broker asked for: set " + EnvVersion)
	}
	return Config{Version: version}
}

func startNodeFor(t *testing.T, cfg Config) *Node {
	t.Helper()
	n, err := Start(t.Context(), cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, n.Stop()) })
	return n
}

func TestLastOfEachKey(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		in, want []string
	}{
		{"none", nil, nil},
		{"different", []string{"a = 1", "b = 2"}, []string{"a = 1", "b = 2"}},
		{"overruled", []string{"a = 1", "b = 2", "a=3"}, []string{"b = 2", "a=3"}},
		{"a value with an equals sign", []string{"a = x=1", "a = x=2"}, []string{"a = x=2"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, tt.want, lastOfEachKey(tt.in))
		})
	}
}

func TestFreePortsDiffer(t *testing.T) {
	t.Parallel()
	ports, err := freePorts(20)
	require.NoError(t, err)
	seen := map[int]bool{}
	for _, p := range ports {
		require.False(t, seen[p], "port %d twice", p)
		require.True(t, firstPort <= p && p <= lastPort)
		seen[p] = true
	}
}

func TestMissingBrokerIsAnErrorThatSaysWhatToDo(t *testing.T) {
	t.Parallel()
	_, err := Start(t.Context(), Config{Version: "0.1"})
	require.ErrorContains(t, err, "scripts/rabbitmq/install 0.1")
}

type countedRun struct{ runs int }

func (c *countedRun) Run() int { c.runs++; return 0 }

func TestMainFailsWithoutTheBrokerAskedFor(t *testing.T) {
	t.Setenv(EnvVersion, "0.1") // so the test cannot be parallel
	tests := &countedRun{}
	require.Equal(t, 1, Main(tests, func(*Node) { t.Error("no node, yet used") }).Run())
	require.Zero(t, tests.runs)
}

func TestMainWithoutABrokerAskedFor(t *testing.T) {
	t.Setenv(EnvVersion, "")
	tests := &countedRun{}
	require.Zero(t, Main(tests, func(n *Node) { require.Nil(t, n) }).Run())
	require.Equal(t, 1, tests.runs)
}

func TestStopOfNoNode(t *testing.T) {
	t.Parallel()
	var n *Node
	require.NoError(t, n.Stop())
}

func TestStartHonoursItsContext(t *testing.T) {
	t.Parallel()
	cfg := needBroker(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := Start(ctx, cfg)
	require.ErrorIs(t, err, context.Canceled)
}
