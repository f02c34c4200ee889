package amqprpc

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// endedContext has ended but has not yet ended its children.
type endedContext struct {
	context.Context
	ended bool
}

func (c *endedContext) Err() error {
	if c.ended {
		return context.Canceled
	}
	return nil
}

// After the parent's end or the deadline, Err returns a reason, even if the inner context has
// not ended yet.
func TestDeadlineContextEndsWithItsParent(t *testing.T) {
	t.Parallel()
	parent := &endedContext{Context: t.Context()}
	var c deadlineContext
	c.begin(parent, time.Now().Add(time.Hour))
	defer c.end()
	done := c.Done()
	require.NoError(t, c.Err())
	parent.ended = true
	require.ErrorIs(t, c.Err(), context.Canceled)
	select {
	case <-done:
		require.Fail(t, "the test is of the moment before")
	default:
	}
}

// Like every context, a deadline context keeps its first reason.
func TestDeadlineContextKeepsItsReason(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		parent, cancel := context.WithCancel(context.Background())
		var late, done deadlineContext
		late.begin(parent, time.Now().Add(time.Second))
		done.begin(parent, time.Now().Add(time.Second))
		done.end()
		require.ErrorIs(t, done.Err(), context.Canceled)
		time.Sleep(2 * time.Second)
		require.ErrorIs(t, late.Err(), context.DeadlineExceeded)
		require.ErrorIs(t, done.Err(), context.Canceled)
		cancel()
		require.ErrorIs(t, late.Err(), context.DeadlineExceeded)
		late.end()
	})
}
