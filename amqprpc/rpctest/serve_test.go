package rpctest_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/amqprpc/rpctest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const square amqprpc.Method[int, int] = "square"

func TestServe(t *testing.T) {
	t.Parallel()
	cli := rpctest.Serve(t, func(srv *amqprpc.Server) {
		square.Register(srv, func(_ context.Context, n int) (int, error) { return n * n, nil })
	}, amqprpc.WithMaxPending(1))
	got, err := square.Call(t.Context(), cli, 12)
	require.NoError(t, err)
	require.Equal(t, 144, got)
}

// In a bubble ten minutes take no time.
func TestServeInABubble(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cli := rpctest.Serve(t, func(srv *amqprpc.Server) {
			square.Register(srv, func(ctx context.Context, n int) (int, error) {
				<-ctx.Done()
				return 0, ctx.Err()
			}, amqprpc.WithHandlerTimeout(10*time.Minute))
		})
		start := time.Now()
		_, err := square.Call(t.Context(), cli, 1, amqprpc.WithTimeout(time.Hour))
		require.ErrorIs(t, err, amqprpc.CodeDeadlineExceeded)
		require.GreaterOrEqual(t, time.Since(start), 10*time.Minute)
	})
}

// recorder is a test that keeps what is said of it.
type recorder struct {
	bytes.Buffer
	cleanups []func()
	errors   []string
}

func (r *recorder) Helper()           {}
func (r *recorder) Cleanup(f func())  { r.cleanups = append(r.cleanups, f) }
func (r *recorder) Output() io.Writer { return &r.Buffer }
func (r *recorder) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	panic(r)
}

func (r *recorder) Errorf(format string, args ...any) {
	r.errors = append(r.errors, fmt.Sprintf(format, args...))
}

// run runs what a test does, and its cleanups, and returns what made it fail.
func (r *recorder) run(test func()) []string {
	func() {
		defer func() {
			if p := recover(); p != nil && p != r {
				panic(p)
			}
		}()
		test()
	}()
	for len(r.cleanups) > 0 {
		last := len(r.cleanups) - 1
		f := r.cleanups[last]
		r.cleanups = r.cleanups[:last]
		f()
	}
	return r.errors
}

func TestServeFails(t *testing.T) {
	t.Parallel()
	var r recorder
	require.Equal(t, []string{"rpctest: failed_precondition: serve: no handler is registered"}, r.run(func() {
		rpctest.Serve(&r, func(*amqprpc.Server) {})
	}))

	r = recorder{}
	require.Empty(t, r.run(func() {
		cli := rpctest.Serve(&r, func(srv *amqprpc.Server) {
			square.Register(srv, func(context.Context, int) (int, error) { panic("by zero") })
		})
		_, err := square.Call(t.Context(), cli, 1)
		require.ErrorIs(t, err, amqprpc.CodeInternal)
	}))
	require.Contains(t, r.String(), "by zero", "the log is in the test's output")

	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		defer close(release)
		var r recorder
		failed := r.run(func() {
			cli := rpctest.Serve(&r, func(srv *amqprpc.Server) {
				square.Register(srv, func(context.Context, int) (int, error) { <-release; return 0, nil })
			})
			_, err := square.Call(t.Context(), cli, 1, amqprpc.WithTimeout(time.Second))
			require.ErrorIs(t, err, amqprpc.CodeDeadlineExceeded)
		})
		require.Len(t, failed, 1)
		require.Contains(t, failed[0], "rpctest: deadline_exceeded: serve: ")
	})
}
