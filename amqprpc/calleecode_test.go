package amqprpc_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
)

// A handler may return the error of a callee. The caller does not get the callee's code
// unless the handler allows it.
func TestCodesOfCallees(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	inner := dial(t, url)
	ask := func(ctx context.Context, name string) error {
		_, err := amqprpc.Call[int, int](ctx, inner, queue+name, 1)
		return err
	}
	var seen []string
	note := func(next amqprpc.Invoker) amqprpc.Invoker {
		return func(ctx context.Context, req *amqprpc.Request) (*amqprpc.Response, error) {
			resp, err := next(ctx, req)
			seen = append(seen, fmt.Sprint(amqprpc.CodeOf(err), ", ", errors.Is(err, amqprpc.CodeUnauthenticated)))
			return resp, err
		}
	}
	handler := func(ctx context.Context, how string) (int, error) {
		err := ask(ctx, ".inner")
		switch how {
		case "as it is":
			return 0, err
		case "wrapped":
			return 0, fmt.Errorf("ask for the price: %w", err)
		case "wrapped in its own":
			return 0, amqprpc.Errorf(amqprpc.CodeFailedPrecondition, "ask for the price: %w", err)
		case "new code":
			return 0, amqprpc.NewError(amqprpc.CodePermissionDenied, err)
		case "wrapped twice":
			return 0, fmt.Errorf("no order: %w", amqprpc.NewError(amqprpc.CodeNotFound, fmt.Errorf("price: %w", err)))
		case "nobody":
			return 0, ask(ctx, ".nobody")
		default:
			return 0, amqprpc.CodeUnauthenticated
		}
	}
	startServer(t, url, func(s *amqprpc.Server) {
		amqprpc.Register(s, queue+".inner", func(context.Context, int) (int, error) {
			return 0, amqprpc.Errorf(amqprpc.CodeUnauthenticated, "the token is too old").WithDetail("token", "old")
		})
		amqprpc.Register(s, queue, handler, amqprpc.WithMiddleware(note))
		amqprpc.Register(s, queue+".passes", handler, amqprpc.WithCalleeCodes(amqprpc.CodeUnauthenticated))
	})
	cli := dial(t, url)
	for _, c := range []struct {
		queue, how, message string
		code                amqprpc.Code
		detail              bool
	}{
		{queue, "as it is", "the handler's call to another service failed", amqprpc.CodeInternal, false},
		{queue, "wrapped", "the handler's call to another service failed", amqprpc.CodeInternal, false},
		{queue, "wrapped in its own", "ask for the price: the token is too old", amqprpc.CodeFailedPrecondition, true},
		{queue, "new code", "the token is too old", amqprpc.CodePermissionDenied, true},
		{queue, "wrapped twice", "no order: price: the token is too old", amqprpc.CodeNotFound, true},
		{queue, "nobody", "the handler's call to another service failed", amqprpc.CodeInternal, false},
		{queue, "own", "unauthenticated", amqprpc.CodeUnauthenticated, false},
		{queue + ".passes", "as it is", "the token is too old", amqprpc.CodeUnauthenticated, true},
		{queue + ".passes", "wrapped", "ask for the price: the token is too old", amqprpc.CodeUnauthenticated, true},
		{queue + ".passes", "nobody", "the handler's call to another service failed", amqprpc.CodeInternal, false},
	} {
		_, err := amqprpc.Call[string, int](testContext(t), cli, c.queue, c.how)
		require.EqualError(t, err, c.queue+": "+string(c.code)+": "+c.message, c.how)
		_, ok := amqprpc.Detail[string](err, "token")
		require.Equal(t, c.detail, ok, c.how)
		require.Equal(t, amqprpc.OutcomeExecuted, amqprpc.OutcomeOf(err))
	}
	require.Equal(t, []string{
		"internal, true", "internal, true", "failed_precondition, true", "permission_denied, true", "not_found, true", "internal, false", "unauthenticated, true",
	}, seen, "middleware sees the caller's code, and what is behind it")
	require.EqualValues(t, 3, cli.Stats().Failed[amqprpc.CodeUnauthenticated])
	require.EqualValues(t, 4, cli.Stats().Failed[amqprpc.CodeInternal])
}

// If the handler's own ctx ends, the handler's code is the ctx's code, even if a call
// returned it.
func TestCalleeFindsTheDeadline(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	inner := dial(t, url)
	answers := make(chan error, 1)
	startServer(t, url, func(s *amqprpc.Server) {
		amqprpc.Register(s, queue+".slow", func(ctx context.Context, n int) (int, error) { <-ctx.Done(); return n, nil })
		amqprpc.Register(s, queue, func(ctx context.Context, n int) (int, error) {
			return amqprpc.Call[int, int](ctx, inner, queue+".slow", n)
		}, amqprpc.WithMiddleware(func(next amqprpc.Invoker) amqprpc.Invoker {
			return func(ctx context.Context, req *amqprpc.Request) (*amqprpc.Response, error) {
				resp, err := next(ctx, req)
				answers <- err
				return resp, err
			}
		}), amqprpc.WithHandlerTimeout(100*time.Millisecond))
	})
	_, err := amqprpc.Call[int, int](testContext(t), dial(t, url), queue, 1)
	require.ErrorIs(t, err, amqprpc.CodeDeadlineExceeded)
	require.Equal(t, amqprpc.CodeDeadlineExceeded, amqprpc.CodeOf(<-answers))
}
