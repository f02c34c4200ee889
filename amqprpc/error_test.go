package amqprpc_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"

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
