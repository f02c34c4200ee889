package faultsuite

import (
	"flag"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/testing/rabbitmq"
)

// node is the RabbitMQ node that AMQPRPC_RABBITMQ asks for, or nil.
var node *rabbitmq.Node

func TestMain(m *testing.M) {
	BeChild()
	flag.Parse()
	// On a node, the tests in this process would only be repeated.
	if run := flag.Lookup("test.run"); os.Getenv(rabbitmq.EnvVersion) != "" && run.Value.String() == "" {
		_ = run.Value.Set("^Test(OnRabbitMQ|Cluster)")
	}
	goleak.VerifyTestMain(rabbitmq.Main(m, func(n *rabbitmq.Node) { node = n }))
}

// number returns the value of an environment variable, or usual if it is unset.
func number(t *testing.T, name string, usual uint64) uint64 {
	t.Helper()
	s := os.Getenv(name)
	if s == "" {
		return usual
	}
	n, err := strconv.ParseUint(s, 10, 64)
	require.NoError(t, err, name)
	return n
}

// seeds returns the seeds of the runs: AMQPRPC_FAULTS_SEED alone, or the first
// AMQPRPC_FAULTS_SEEDS seeds, or the first usual ones.
func seeds(t *testing.T, usual uint64) []uint64 {
	t.Helper()
	if seed := number(t, "AMQPRPC_FAULTS_SEED", 0); seed != 0 {
		return []uint64{seed}
	}
	all := make([]uint64, number(t, "AMQPRPC_FAULTS_SEEDS", usual))
	for i := range all {
		all[i] = uint64(i + 1)
	}
	return all
}

// duration returns how long a run has traffic.
func duration(t *testing.T, usual time.Duration) time.Duration {
	t.Helper()
	s := os.Getenv("AMQPRPC_FAULTS_DURATION")
	if s == "" {
		return usual
	}
	d, err := time.ParseDuration(s)
	require.NoError(t, err, "AMQPRPC_FAULTS_DURATION")
	return d
}

// verdict fails the test if the history breaks a guarantee. Otherwise it logs a summary of
// the history.
func verdict(t *testing.T, rec *Recorder, seed uint64) {
	t.Helper()
	h, err := rec.History()
	require.NoError(t, err)
	if report := Report(h, seed); report != "" {
		require.Fail(t, "a guarantee is broken", report)
	}
	succeeded, outcomes := 0, make(map[string]int)
	streams, items, answers := 0, 0, 0
	for _, c := range h.Calls {
		if c.Flow.Clean || c.Flow.Done && c.Err == "" {
			streams++
		}
		answers += len(c.Answers)
		items += c.Flow.Sent
		for _, s := range c.Flow.Got {
			items += s.Count
		}
		if c.Err == "" {
			succeeded++
		} else {
			outcomes[c.Outcome.String()]++
		}
	}
	t.Logf("seed %d: %d calls, %d succeeded, others %v; %d executions, %d faults; %d streams ended well, %d items, %d answers to broadcasts",
		seed, len(h.Calls), succeeded, outcomes, len(h.Executions), len(h.Faults)/2, streams, items, answers)
	require.NotZero(t, succeeded, "a run in which nothing works proves nothing")
	require.NotEmpty(t, h.Faults)
}
