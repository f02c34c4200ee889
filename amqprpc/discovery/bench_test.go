package discovery_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/amqprpc/discovery"
)

// hundred starts a hundred servers, and waits until all can be found.
func hundred(t testing.TB, url, queue string) (all map[string]bool, cli *amqprpc.Client) {
	t.Helper()
	servers := make([]*amqprpc.Server, 100)
	for i := range servers {
		servers[i], _ = serve(t, url, func(s *amqprpc.Server) { amqprpc.Register(s, queue, square) })
	}
	cli = dial(t, url)
	found(t, cli, servers...)
	all = make(map[string]bool)
	for _, s := range servers {
		all[s.Instance()] = true
	}
	return all, cli
}

// A hundred servers are all found, by one question, with the usual quiet time where nothing
// else runs.
func TestHundredInstances(t *testing.T) {
	t.Parallel()
	queue := unique(t)
	all, cli := hundred(t, brokerURL(t), queue)
	got := make(map[string]bool)
	for d, err := range discovery.Instances(testContext(t), cli, discovery.OfQueue(queue), patiently()) {
		require.NoError(t, err)
		got[d.Instance] = true
	}
	require.Equal(t, all, got)
}

// BenchmarkInstances lists a hundred servers, which run in the same process, with the usual
// quiet time: 50 ms of each list are that.
func BenchmarkInstances(b *testing.B) {
	queue := "bench"
	all, cli := hundred(b, brokerURL(b), queue)
	missed := 0
	for b.Loop() {
		n := 0
		for range discovery.Instances(context.Background(), cli, discovery.OfQueue(queue)) {
			n++
		}
		missed += len(all) - n
	}
	b.ReportMetric(float64(missed)/float64(b.N), "missed/op")
}
