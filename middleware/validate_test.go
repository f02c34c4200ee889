package middleware_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
	"github.com/bbebcec1/amqprpc-go/middleware"
	"github.com/bbebcec1/amqprpc-go/middleware/internal/harness"
)

// byValue has Validate on the value receiver, byPointer on the pointer receiver.
type byValue struct {
	N int `json:"n"`
}

func (v byValue) Validate() error { return positive(v.N) }

type byPointer struct {
	N int `json:"n"`
}

func (v *byPointer) Validate() error { return positive(v.N) }

func positive(n int) error {
	if n <= 0 {
		return fmt.Errorf("n is %d, not positive", n)
	}
	return nil
}

// chosen is a message whose text selects the validation error.
type chosen string

func (c chosen) Validate() error {
	switch c {
	case "details":
		return fmt.Errorf("chosen: %w", amqprpc.Errorf(amqprpc.CodeOutOfRange, "too far").WithDetail("most", 10))
	case "code":
		return amqprpc.CodeNotFound
	default:
		return nil
	}
}

type plain struct {
	N int `json:"n"`
}

// checker is a message type that is an interface.
type checker interface{ Validate() error }

func echo[T any](_ context.Context, v T) (T, error) { return v, nil }

const undecoded = "the request does not decode: "

func TestValidateOnServer(t *testing.T) {
	t.Parallel()
	url := amqptest.Start(t).URL()
	var ran atomic.Int64
	counted := func(next amqprpc.Invoker) amqprpc.Invoker {
		return func(ctx context.Context, req *amqprpc.Request) (*amqprpc.Response, error) {
			ran.Add(1)
			return next(ctx, req)
		}
	}
	harness.Serve(t, url, func(s *amqprpc.Server) {
		amqprpc.Register(s, "value", echo[byValue])
		amqprpc.Register(s, "pointer", echo[byPointer])
		amqprpc.Register(s, "to_value", echo[*byValue])
		amqprpc.Register(s, "to_pointer", echo[*byPointer])
		amqprpc.Register(s, "plain", echo[plain])
		amqprpc.Register(s, "to_plain", echo[*plain])
		amqprpc.Register(s, "chosen", echo[chosen])
		amqprpc.Register(s, "any", echo[any])
	}, amqprpc.WithMiddleware(middleware.Validate(), counted))
	cli := harness.Dial(t, url)
	ctx := harness.Context(t)

	for _, tt := range []struct {
		queue   string
		msg     any
		code    amqprpc.Code
		message string
	}{
		{queue: "value", msg: byValue{1}},
		{queue: "value", msg: byValue{-1}, code: amqprpc.CodeInvalidArgument, message: "n is -1, not positive"},
		{queue: "pointer", msg: byValue{1}},
		{queue: "pointer", msg: byValue{0}, code: amqprpc.CodeInvalidArgument, message: "n is 0, not positive"},
		{queue: "to_value", msg: byValue{1}},
		{queue: "to_value", msg: byValue{-1}, code: amqprpc.CodeInvalidArgument, message: "n is -1, not positive"},
		{queue: "to_value", msg: nil, code: amqprpc.CodeInvalidArgument, message: "the message is null"},
		{queue: "to_pointer", msg: byValue{1}},
		{queue: "to_pointer", msg: byValue{-1}, code: amqprpc.CodeInvalidArgument, message: "n is -1, not positive"},
		{queue: "to_pointer", msg: nil, code: amqprpc.CodeInvalidArgument, message: "the message is null"},
		{queue: "plain", msg: plain{-1}},
		{queue: "to_plain", msg: nil},
		{queue: "any", msg: byValue{-1}}, // a JSON object, not the Go type
		{queue: "any", msg: nil},
		{queue: "chosen", msg: "fine"},
		{queue: "chosen", msg: "code", code: amqprpc.CodeNotFound, message: "not_found"},
		{queue: "chosen", msg: "details", code: amqprpc.CodeOutOfRange, message: "chosen: too far"},
		{queue: "value", msg: "no object", code: amqprpc.CodeInvalidArgument, message: undecoded},
	} {
		t.Run(fmt.Sprintf("%s/%v", tt.queue, tt.msg), func(t *testing.T) {
			before := ran.Load()
			_, err := amqprpc.Call[any, any](ctx, cli, tt.queue, tt.msg)
			if tt.code == "" {
				require.NoError(t, err)
				require.Equal(t, before+1, ran.Load(), "next was not called")
				return
			}
			require.ErrorIs(t, err, tt.code)
			require.Equal(t, before, ran.Load(), "next was called")
			var e *amqprpc.Error
			require.ErrorAs(t, err, &e)
			if tt.message == undecoded {
				require.Contains(t, e.Message(), undecoded) // the codec chooses the rest of the text
			} else {
				require.Equal(t, tt.message, e.Message())
			}
			require.Equal(t, amqprpc.OutcomeNotExecuted, e.Outcome())
			require.True(t, amqprpc.IsRemote(err))
			if tt.msg == "details" {
				most, ok := amqprpc.Detail[int](err, "most")
				require.True(t, ok)
				require.Equal(t, 10, most)
			}
		})
	}
}

func TestValidateOnClient(t *testing.T) {
	t.Parallel()
	url := amqptest.Start(t).URL()
	var ran atomic.Int64
	harness.Serve(t, url, func(s *amqprpc.Server) {
		amqprpc.Register(s, "q", func(_ context.Context, v any) (any, error) { ran.Add(1); return v, nil })
	})
	cli := harness.Dial(t, url, amqprpc.WithMiddleware(middleware.Validate()))
	ctx := harness.Context(t)

	refused := func(t *testing.T, message string, call func() error) {
		t.Helper()
		before := ran.Load()
		err := call()
		require.ErrorIs(t, err, amqprpc.CodeInvalidArgument)
		require.Equal(t, amqprpc.OutcomeNotSent, amqprpc.OutcomeOf(err))
		require.False(t, amqprpc.IsRemote(err))
		require.ErrorContains(t, err, message)
		require.Equal(t, before, ran.Load())
	}
	refused(t, "n is -1, not positive", func() error {
		_, err := amqprpc.Call[byValue, any](ctx, cli, "q", byValue{-1})
		return err
	})
	refused(t, "n is -2, not positive", func() error {
		_, err := amqprpc.Call[byPointer, any](ctx, cli, "q", byPointer{-2})
		return err
	})
	refused(t, "n is -3, not positive", func() error {
		_, err := amqprpc.Call[*byPointer, any](ctx, cli, "q", &byPointer{-3})
		return err
	})
	refused(t, "the message is null", func() error {
		_, err := amqprpc.Call[*byPointer, any](ctx, cli, "q", nil)
		return err
	})
	refused(t, "n is -4, not positive", func() error { // a value in an interface has no address
		_, err := amqprpc.Call[any, any](ctx, cli, "q", byPointer{-4})
		return err
	})
	refused(t, "n is -5, not positive", func() error {
		_, err := amqprpc.Call[any, any](ctx, cli, "q", &byValue{-5})
		return err
	})
	refused(t, "the message is null", func() error {
		_, err := amqprpc.Call[any, any](ctx, cli, "q", (*byValue)(nil))
		return err
	})
	refused(t, "n is -6, not positive", func() error {
		_, err := amqprpc.Call[checker, any](ctx, cli, "q", byValue{-6})
		return err
	})
	refused(t, "the message is null", func() error {
		_, err := amqprpc.Call[checker, any](ctx, cli, "q", nil)
		return err
	})
	refused(t, "n is -7, not positive", func() error {
		return amqprpc.Notify(ctx, cli, "q", byValue{-7})
	})
	require.Zero(t, ran.Load())

	_, err := amqprpc.Call[checker, any](ctx, cli, "q", &byPointer{1})
	require.NoError(t, err)
	_, err = amqprpc.Call[any, any](ctx, cli, "q", nil)
	require.NoError(t, err, "nothing here could have been validated")
	require.EqualValues(t, 2, ran.Load())
}

// errors.Is finds the validation error on the side that returned it.
func TestValidateKeepsTheCause(t *testing.T) {
	t.Parallel()
	cli := harness.Dial(t, amqptest.Start(t).URL(), amqprpc.WithMiddleware(middleware.Validate()))
	_, err := amqprpc.Call[failing, any](harness.Context(t), cli, "q", failing{})
	require.ErrorIs(t, err, errFailing)
}

var errFailing = errors.New("failing")

type failing struct{}

func (failing) Validate() error { return errFailing }
