package middleware_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
	"github.com/bbebcec1/amqprpc-go/middleware"
	"github.com/bbebcec1/amqprpc-go/middleware/internal/harness"
)

// as returns a URL of a user of the broker.
func as(b *amqptest.Broker, user string) string { return "amqp://" + user + ":pw@" + b.Addr() + "/" }

func TestAuthUser(t *testing.T) {
	t.Parallel()
	broker := amqptest.Start(t, amqptest.WithUser("server", "pw"), amqptest.WithUser("shop", "pw"), amqptest.WithUser("robot", "pw"))
	var ran atomic.Int64
	count := func(context.Context, int) (int, error) { return int(ran.Add(1)), nil }
	harness.Serve(t, as(broker, "server"), func(s *amqprpc.Server) {
		amqprpc.Register(s, "orders", count)
		amqprpc.Register(s, "open", count)
		amqprpc.Register(s, "listed", count, amqprpc.WithMiddleware(middleware.AuthUser(middleware.Users("shop"))))
	}, amqprpc.WithMiddleware(middleware.AuthUser(func(user, queue string) bool { return user == "shop" || queue != "orders" })))

	shop := harness.Dial(t, as(broker, "shop"), amqprpc.WithUserID())
	robot := harness.Dial(t, as(broker, "robot"), amqprpc.WithUserID())
	nobody := harness.Dial(t, as(broker, "shop"))
	for _, c := range []struct {
		cli   *amqprpc.Client
		queue string
		code  amqprpc.Code
	}{
		{shop, "orders", amqprpc.CodeOK},
		{shop, "open", amqprpc.CodeOK},
		{shop, "listed", amqprpc.CodeOK},
		{robot, "orders", amqprpc.CodePermissionDenied},
		{robot, "open", amqprpc.CodeOK},
		{robot, "listed", amqprpc.CodePermissionDenied},
		{nobody, "orders", amqprpc.CodeUnauthenticated},
		{nobody, "open", amqprpc.CodeUnauthenticated},
	} {
		before := ran.Load()
		_, err := amqprpc.Call[int, int](harness.Context(t), c.cli, c.queue, 1)
		require.Equal(t, c.code, amqprpc.CodeOf(err), c.queue)
		if err == nil {
			continue
		}
		require.Equal(t, before, ran.Load(), "no handler ran")
		require.Equal(t, amqprpc.OutcomeNotExecuted, amqprpc.OutcomeOf(err))
		// The message is not decoded: else this would be invalid_argument.
		_, err = amqprpc.Call[string, int](harness.Context(t), c.cli, c.queue, "not an int")
		require.Equal(t, c.code, amqprpc.CodeOf(err), c.queue)
	}
	require.Panics(t, func() { middleware.AuthUser(nil) })
}

type claims struct{ Subject string }

// verify accepts tokens that begin with "good-".
func verify(_ context.Context, token string) (claims, error) {
	subject, ok := strings.CutPrefix(token, "good-")
	switch {
	case ok:
		return claims{subject}, nil
	case token == "locked":
		return claims{}, amqprpc.Errorf(amqprpc.CodePermissionDenied, "the account is locked")
	default:
		return claims{}, errors.New("the token is bad")
	}
}

func TestBearer(t *testing.T) {
	t.Parallel()
	url := amqptest.Start(t).URL()
	who := amqprpc.Method[amqprpc.None, string]("who")
	harness.Serve(t, url, func(s *amqprpc.Server) {
		who.Register(s, func(ctx context.Context, _ amqprpc.None) (string, error) {
			if _, ok := middleware.Principal[*claims](ctx); ok {
				return "", errors.New("a principal of another type")
			}
			c, ok := middleware.Principal[claims](ctx)
			if !ok {
				return "", errors.New("no principal")
			}
			return c.Subject, nil
		})
	}, amqprpc.WithMiddleware(middleware.AuthBearer(verify), middleware.SendBearer(func(context.Context) (string, error) {
		return "", errors.New("a server sends no token")
	})))
	cli := harness.Dial(t, url)
	ask := func(opts ...amqprpc.CallOption) (string, error) {
		return who.Call(harness.Context(t), cli, amqprpc.None{}, opts...)
	}
	with := func(token string) amqprpc.CallOption {
		return amqprpc.WithMiddleware(middleware.SendBearer(func(context.Context) (string, error) { return token, nil }))
	}
	got, err := ask(with("good-ada"))
	require.NoError(t, err)
	require.Equal(t, "ada", got)
	got, err = ask(amqprpc.WithHeader("authorization", "bearer  good-eve"), with("good-ada"))
	require.NoError(t, err)
	require.Equal(t, "eve", got, "the call's own metadata counts, and the scheme has no case")

	for name, c := range map[string]struct {
		opt  amqprpc.CallOption
		code amqprpc.Code
		text string
	}{
		"bad":         {with("x"), amqprpc.CodeUnauthenticated, "the token is bad"},
		"own code":    {with("locked"), amqprpc.CodePermissionDenied, "the account is locked"},
		"empty":       {with(""), amqprpc.CodeUnauthenticated, "no bearer token"},
		"none":        {amqprpc.WithHeader("tenant", "blue"), amqprpc.CodeUnauthenticated, "no bearer token"},
		"other":       {amqprpc.WithHeader("authorization", "Basic good-ada"), amqprpc.CodeUnauthenticated, "no bearer token"},
		"one word":    {amqprpc.WithHeader("authorization", "good-ada"), amqprpc.CodeUnauthenticated, "no bearer token"},
		"scheme only": {amqprpc.WithHeader("authorization", "Bearer"), amqprpc.CodeUnauthenticated, "no bearer token"},
	} {
		_, err := ask(c.opt)
		require.Equal(t, c.code, amqprpc.CodeOf(err), name)
		require.ErrorContains(t, err, c.text, name)
		require.Equal(t, amqprpc.OutcomeNotExecuted, amqprpc.OutcomeOf(err), name)
	}
	require.Panics(t, func() { middleware.AuthBearer[claims](nil) })
	require.Panics(t, func() { middleware.SendBearer(nil) })
	_, ok := middleware.Principal[claims](t.Context())
	require.False(t, ok)
}

// The token is refused before the message is decoded.
func TestBearerBeforeDecoding(t *testing.T) {
	t.Parallel()
	url := amqptest.Start(t).URL()
	harness.Serve(t, url, func(s *amqprpc.Server) { amqprpc.Register(s, "q", echo[int]) },
		amqprpc.WithMiddleware(middleware.AuthBearer(verify)))
	cli := harness.Dial(t, url)
	_, err := amqprpc.Call[string, int](harness.Context(t), cli, "q", "not an int")
	require.ErrorIs(t, err, amqprpc.CodeUnauthenticated)
	_, err = amqprpc.Call[string, int](harness.Context(t), cli, "q", "not an int", amqprpc.WithHeader("authorization", "Bearer good-ada"))
	require.ErrorIs(t, err, amqprpc.CodeInvalidArgument)
}

// Each attempt gets a token of its own, and a call without one is not sent.
func TestBearerSource(t *testing.T) {
	t.Parallel()
	url := amqptest.Start(t).URL()
	harness.Serve(t, url, func(s *amqprpc.Server) { amqprpc.Register(s, "q", echo[int]) },
		amqprpc.WithMiddleware(middleware.AuthBearer(verify)))
	n := 0
	source := middleware.SendBearer(func(context.Context) (string, error) {
		n++
		return []string{"expired", "good-ada"}[n-1], nil
	})
	twice := func(next amqprpc.Invoker) amqprpc.Invoker {
		return func(ctx context.Context, req *amqprpc.Request) (*amqprpc.Response, error) {
			if _, err := next(ctx, req); amqprpc.CodeOf(err) != amqprpc.CodeUnauthenticated {
				return nil, fmt.Errorf("the first attempt: %w", err)
			}
			return next(ctx, req)
		}
	}
	got, err := amqprpc.Call[int, int](harness.Context(t), harness.Dial(t, url, amqprpc.WithMiddleware(twice, source)), "q", 7)
	require.NoError(t, err)
	require.Equal(t, 7, got)

	for _, c := range []struct {
		err  error
		code amqprpc.Code
	}{
		{errors.New("the login failed"), amqprpc.CodeUnauthenticated},
		{amqprpc.Errorf(amqprpc.CodeUnavailable, "the login service is down"), amqprpc.CodeUnavailable},
		{amqprpc.CodePermissionDenied, amqprpc.CodePermissionDenied},
	} {
		cli := harness.Dial(t, url, amqprpc.WithMiddleware(middleware.SendBearer(func(context.Context) (string, error) { return "", c.err })))
		_, err := amqprpc.Call[int, int](harness.Context(t), cli, "q", 7)
		require.Equal(t, c.code, amqprpc.CodeOf(err))
		require.Equal(t, amqprpc.OutcomeNotSent, amqprpc.OutcomeOf(err))
	}
}
