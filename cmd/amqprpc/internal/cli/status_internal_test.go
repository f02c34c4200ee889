package cli

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/cmd/amqprpc/internal/connect"
	"github.com/bbebcec1/amqprpc-go/cmd/amqprpc/internal/invoke"
)

func TestStatusOfErrors(t *testing.T) {
	t.Parallel()
	with := func(code amqprpc.Code, o amqprpc.Outcome) error {
		return fmt.Errorf("wrapped: %w", amqprpc.Errorf(code, "x").WithOutcome(o))
	}
	for i, tc := range []struct {
		err  error
		want int
	}{
		{nil, statusOK},
		{with(amqprpc.CodeNotFound, amqprpc.OutcomeExecuted), statusAnswered},
		{with(amqprpc.CodeDeadlineExceeded, amqprpc.OutcomeExecuted), statusAnswered},
		{with(amqprpc.CodeInvalidArgument, amqprpc.OutcomeExecuted), statusAnswered},
		{with(amqprpc.CodeInvalidArgument, amqprpc.OutcomeNotExecuted), statusUsage},
		{with(amqprpc.CodeUnavailable, amqprpc.OutcomeNotExecuted), statusNotExecuted},
		{with(amqprpc.CodeDeadlineExceeded, amqprpc.OutcomeNotSent), statusNotExecuted},
		{with(amqprpc.CodeUnavailable, amqprpc.OutcomeUnknown), statusUnknown},
		{with(amqprpc.CodeDeadlineExceeded, amqprpc.OutcomeUnknown), statusDeadline},
		{&connect.Error{Err: amqprpc.CodeUnauthenticated}, statusConnection},
		{&connect.TargetError{Err: errors.New("x")}, statusUsage},
		{&lineError{1, &invoke.InvalidError{}}, statusUsage},
		{usage(errors.New("x")), statusUsage},
		{shown(with(amqprpc.CodeUnavailable, amqprpc.OutcomeUnknown)), statusUnknown},
		{errors.New("disk full"), statusLocal},
	} {
		require.Equal(t, tc.want, statusOf(tc.err), "%d: %v", i, tc.err)
	}
	require.NoError(t, usage(nil))
	seen := make(map[int]bool)
	for _, s := range Statuses {
		require.NotEmpty(t, s.Meaning)
		require.False(t, seen[s.Status])
		seen[s.Status] = true
	}
	for s := range 8 {
		require.True(t, seen[s], "status %d is documented", s)
	}
}

func TestDurations(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		0: "-", -5: "-", 1: "0.00µs", 1500: "1.50µs", 999_400: "999µs", 999_900: "1.00ms", 12_340_000: "12.3ms",
		time.Second: "1.00s", 100 * time.Second: "100s", 3 * time.Hour: "3h0m0s",
	} {
		require.Equal(t, want, took(d), "%d", d)
	}
	now := time.Now()
	for ago, want := range map[time.Duration]string{0: "0s", -time.Hour: "0s", 90 * time.Second: "90s", 90 * time.Minute: "90m", 40 * time.Hour: "40h", 100 * 24 * time.Hour: "100d"} {
		require.Equal(t, want, since(now.Add(-ago), now))
	}
	require.Equal(t, "?", since(time.Time{}, now))
}
