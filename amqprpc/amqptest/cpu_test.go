//go:build unix

package amqptest_test

import (
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
)

// A broker costs so little that each test can have its own: starting and closing
// one takes less than a millisecond of CPU. It looks at the whole process, so it
// does not run in parallel with others.
func TestBrokerIsCheap(t *testing.T) {
	const n = 100
	used := func() time.Duration {
		var u syscall.Rusage
		require.NoError(t, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	before := used()
	for range n {
		require.NoError(t, amqptest.NewBroker().Close())
	}
	require.Less(t, (used()-before)/n, time.Millisecond)
}
