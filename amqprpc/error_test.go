package amqprpc_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
)

func TestErrorEnvelope(t *testing.T) {
	t.Parallel()
	e := amqprpc.Errorf(amqprpc.CodeNotFound, "no user %d", 7).WithDetail("id", 7).WithDetail("who", "x")
	b, err := json.Marshal(e)
	require.NoError(t, err)
	require.JSONEq(t, `{"code":"not_found","message":"no user 7","details":[{"name":"id","value":7},{"name":"who","value":"x"}]}`, string(b))
	var back amqprpc.Error
	require.NoError(t, json.Unmarshal(b, &back))
	require.Equal(t, "not_found: no user 7", back.Error())
	id, ok := amqprpc.Detail[int](&back, "id")
	require.True(t, ok)
	require.Equal(t, 7, id)
	b, err = json.Marshal(amqprpc.NewError(amqprpc.CodeInternal, nil))
	require.NoError(t, err)
	require.JSONEq(t, `{"code":"internal","message":"internal"}`, string(b))
	require.NoError(t, json.Unmarshal([]byte(`{"code":"teapot","message":"m","more":1}`), &back))
	require.Equal(t, amqprpc.CodeUnknown, back.Code())
	require.Error(t, json.Unmarshal([]byte(`[]`), &back))
}

func TestErrorDetails(t *testing.T) {
	t.Parallel()
	base := amqprpc.Errorf(amqprpc.CodeAborted, "x")
	value := map[string]int{"a": 1}
	e := base.WithDetail("d", value)
	value["a"] = 2
	got, ok := amqprpc.Detail[map[string]int](fmt.Errorf("wrapped: %w", e), "d")
	require.True(t, ok)
	require.Equal(t, map[string]int{"a": 1}, got, "encoded when it was added")
	_, ok = amqprpc.Detail[int](base, "d")
	require.False(t, ok, "the original has none")
	e2 := e.WithDetail("d", "replaced")
	s, _ := amqprpc.Detail[string](e2, "d")
	require.Equal(t, "replaced", s)
	s, _ = amqprpc.Detail[string](base.WithDetail("bad", make(chan int)), "bad")
	require.Contains(t, s, "could not be encoded")
	_, ok = amqprpc.Detail[int](errors.New("plain"), "d")
	require.False(t, ok)
	recoded := amqprpc.NewError(amqprpc.CodeNotFound, fmt.Errorf("again: %w", e))
	_, ok = amqprpc.Detail[map[string]int](recoded, "d")
	require.True(t, ok, "a new code keeps the details")
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	for given, want := range map[time.Duration]time.Duration{
		-1: 0, 0: 0, 1: 1, time.Second: time.Second, math.MaxInt64: 24 * time.Hour,
	} {
		base := amqprpc.Errorf(amqprpc.CodeUnavailable, "x")
		e := base.WithRetryAfter(given)
		got, ok := amqprpc.RetryAfter(fmt.Errorf("wrapped: %w", e))
		require.Equal(t, want, got)
		require.Equal(t, want > 0, ok)
		got, _ = amqprpc.RetryAfter(amqprpc.NewError(amqprpc.CodeAborted, e))
		require.Equal(t, want, got, "a new code keeps it")
		_, ok = amqprpc.RetryAfter(base)
		require.False(t, ok, "the original says nothing")
	}
	_, ok := amqprpc.RetryAfter(nil)
	require.False(t, ok)
	_, ok = amqprpc.RetryAfter(errors.New("plain"))
	require.False(t, ok)
}

// What a server says of when to call again reaches the caller, in whole milliseconds.
func TestRetryAfterCrossesTheWire(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	refuse := func(amqprpc.Invoker) amqprpc.Invoker {
		return func(context.Context, *amqprpc.Request) (*amqprpc.Response, error) {
			return nil, amqprpc.Errorf(amqprpc.CodeUnavailable, "warming up").WithRetryAfter(time.Minute)
		}
	}
	startServer(t, url, func(s *amqprpc.Server) {
		amqprpc.Register(s, queue, func(_ context.Context, d time.Duration) (int, error) {
			return 0, amqprpc.Errorf(amqprpc.CodeResourceExhausted, "later").WithRetryAfter(d)
		})
		amqprpc.Register(s, queue+".refuses", square, amqprpc.WithMiddleware(refuse))
	})
	cli, ctx := dial(t, url), testContext(t)
	for sent, want := range map[time.Duration]time.Duration{
		0: 0, 1: time.Millisecond, 1500 * time.Microsecond: 2 * time.Millisecond, time.Hour: time.Hour, math.MaxInt64: 24 * time.Hour,
	} {
		_, err := amqprpc.Call[time.Duration, int](ctx, cli, queue, sent)
		require.ErrorIs(t, err, amqprpc.CodeResourceExhausted)
		got, _ := amqprpc.RetryAfter(err)
		require.Equal(t, want, got)
	}
	_, err := amqprpc.Call[int, int](ctx, cli, queue+".refuses", 1)
	got, _ := amqprpc.RetryAfter(err)
	require.Equal(t, time.Minute, got)
	require.Equal(t, amqprpc.OutcomeNotExecuted, amqprpc.OutcomeOf(err))
}

func TestCodeAndOutcomeOf(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err  error
		code amqprpc.Code
	}{
		{nil, amqprpc.CodeOK},
		{amqprpc.CodeOK, amqprpc.CodeUnknown},
		{amqprpc.NewError(amqprpc.CodeOK, errors.New("x")), amqprpc.CodeUnknown},
		{errors.New("x"), amqprpc.CodeUnknown},
		{amqprpc.CodeAborted, amqprpc.CodeAborted},
		{fmt.Errorf("w: %w", amqprpc.CodeAborted), amqprpc.CodeAborted},
		{fmt.Errorf("w: %w", amqprpc.Errorf(amqprpc.CodeDataLoss, "x")), amqprpc.CodeDataLoss},
		{fmt.Errorf("w: %w", context.DeadlineExceeded), amqprpc.CodeDeadlineExceeded},
		{context.Canceled, amqprpc.CodeCanceled},
		{amqprpc.NewError(amqprpc.CodeInternal, context.Canceled), amqprpc.CodeInternal},
	} {
		require.Equal(t, c.code, amqprpc.CodeOf(c.err), "%v", c.err)
	}
	require.Equal(t, amqprpc.OutcomeExecuted, amqprpc.OutcomeOf(nil))
	require.Equal(t, amqprpc.OutcomeUnknown, amqprpc.OutcomeOf(errors.New("x")))
	require.Equal(t, amqprpc.OutcomeUnknown, amqprpc.Errorf(amqprpc.CodeAborted, "x").Outcome())
	require.ErrorIs(t, amqprpc.NewError(amqprpc.CodeInternal, context.Canceled), context.Canceled)
	for o, name := range map[amqprpc.Outcome]string{amqprpc.OutcomeUnknown: "unknown", amqprpc.OutcomeNotSent: "not-sent", amqprpc.OutcomeNotExecuted: "not-executed", amqprpc.OutcomeExecuted: "executed", 99: "unknown"} {
		require.Equal(t, name, o.String())
	}
}

// Every constant is a known code, and nothing else is.
func TestIsKnown(t *testing.T) {
	t.Parallel()
	for _, c := range []amqprpc.Code{amqprpc.CodeOK, amqprpc.CodeCanceled, amqprpc.CodeUnknown, amqprpc.CodeUnauthenticated} {
		require.True(t, c.IsKnown(), "%q", c)
	}
	for _, c := range []amqprpc.Code{"", "OK", "no_such_code"} {
		require.False(t, c.IsKnown(), "%q", c)
	}
}
