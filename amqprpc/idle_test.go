package amqprpc_test

import (
	"bytes"
	"context"
	"fmt"
	"regexp"
	"runtime/pprof"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
)

// goroutines counts the goroutines that f has started, and theirs, by a label that they
// inherit.
func goroutines(t *testing.T, label string, f func()) (count func() int) {
	t.Helper()
	pprof.Do(t.Context(), pprof.Labels("idle", label), func(context.Context) { f() })
	labelled := regexp.MustCompile(`(?m)^(\d+) @.*\n# labels: .*"idle":` + strconv.Quote(label))
	return func() int {
		var profile bytes.Buffer
		require.NoError(t, pprof.Lookup("goroutine").WriteTo(&profile, 1))
		sum := 0
		for _, m := range labelled.FindAllStringSubmatch(profile.String(), -1) {
			n, err := strconv.Atoi(m[1])
			require.NoError(t, err)
			sum += n
		}
		return sum
	}
}

// A client that does nothing has two goroutines: one that reads the connection, and one that
// keeps it and publishes.
func TestGoroutinesOfAnIdleClient(t *testing.T) {
	t.Parallel()
	url := brokerURL(t)
	count := goroutines(t, "client", func() { dial(t, url) })
	eventually(t, "two goroutines are left", func() bool { return count() == 2 })
}

// A queue of a server that does nothing has one goroutine.
func TestGoroutinesOfAnIdleQueue(t *testing.T) {
	t.Parallel()
	url, name := brokerURL(t), queueName(t)
	serve := func(label string, queues int) (count func() int) {
		return goroutines(t, label, func() {
			startServer(t, url, func(s *amqprpc.Server) {
				for i := range queues {
					amqprpc.Register(s, fmt.Sprint(name, label, i), square)
				}
			})
		})
	}
	one, many := serve("one", 1), serve("many", 10)
	eventually(t, "each queue has one goroutine", func() bool { return many()-one() == 9 })
}
