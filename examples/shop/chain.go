package main

import (
	"context"
	"log/slog"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/middleware"
	"github.com/bbebcec1/amqprpc-go/middleware/breaker"
	"github.com/bbebcec1/amqprpc-go/middleware/idempotency"
	"github.com/bbebcec1/amqprpc-go/middleware/otelrpc"
)

// observed is the outer part of both chains. It sees the answer of everything further inward,
// refusals included.
func (s *Service) observed() []amqprpc.Middleware {
	return []amqprpc.Middleware{
		// First, because its span is in the context that the next two take their trace ID from.
		s.tracing,
		s.calls.Middleware,
		// One line for each call, with all its attempts, and with the trace ID.
		middleware.Logging(s.Log, middleware.WithLogContext(otelrpc.LogAttrs), middleware.WithLogAttrs(encoding)),
	}
}

// serverChain is the middleware of each server. The first one is the outermost.
func (s *Service) serverChain(limits Limits) amqprpc.MiddlewareOption {
	byCaller := middleware.WithLimitKey(func(ctx context.Context, _ *amqprpc.Request) string { return callerName(ctx) })
	return amqprpc.WithMiddleware(append(s.observed(),
		// Before the limits, which need a proven name, and before Validate, which decodes: a
		// stranger costs nothing else.
		middleware.AuthBearer(s.platform.Login.verify),
		mayCall,
		// The rate first: what it refuses never counts as running.
		middleware.RateLimit(limits.PerSecond, limits.Burst, byCaller),
		middleware.ConcurrencyLimit(limits.AtOnce, byCaller),
		// Last, because it decodes. The idempotency middleware of a handler is further inward:
		// its store must keep answers of the handler, and no refusals.
		middleware.Validate(),
	)...)
}

// once is the middleware of handlers that must not do their work twice for one call.
func (s *Service) once() amqprpc.MiddlewareOption {
	return amqprpc.WithMiddleware(idempotency.New(s.platform.Answers, idempotency.WithLogger(s.Log),
		idempotency.WithKey(func(ctx context.Context, req *amqprpc.Request) string { return ownID(ctx, req.ID()) })))
}

// callerName is the name that the token has proven.
func callerName(ctx context.Context) string {
	caller, _ := middleware.Principal[Caller](ctx)
	return caller.Name
}

// ownID is the ID of a call, with the caller: IDs come from callers, and none must get the
// answer of another one.
func ownID(ctx context.Context, id string) string { return callerName(ctx) + "/" + id }

// clientChain is the middleware of each client. What is outside of Retry sees a call once, and
// what is inside sees each attempt.
func (s *Service) clientChain() amqprpc.MiddlewareOption {
	c := s.platform.Config
	return amqprpc.WithMiddleware(append(s.observed(),
		// Outside of all that may fail an attempt.
		middleware.Retry(
			middleware.WithRetryAttempts(c.Attempts),
			middleware.WithAttemptTimeout(c.AttemptTimeout),
			middleware.WithRetryObserver(s.onRetry),
		),
		// Inside of Retry, so that a retry has a token that is still valid. Outside of the
		// breaker, so that a login service that fails does not open the breaker of a queue.
		middleware.SendBearer(s.token),
		// Inside of Retry, so that an attempt with its second one counts as one.
		middleware.Hedge(
			middleware.WithHedgeBudget(c.HedgeShare),
			middleware.WithHedgeObserver(s.onHedge),
		),
		// Last, so that it judges a queue by each attempt, and refuses each attempt.
		breaker.New(
			breaker.WithFailureRatio(c.BreakerRatio, c.BreakerLeast),
			breaker.WithWindow(c.BreakerWindow),
			breaker.WithOpenFor(c.BreakerOpenFor),
			breaker.WithObserver(s.onBreaker),
		).Middleware(),
	)...)
}

// mayCall refuses callers whose token does not name the queue.
func mayCall(next amqprpc.Invoker) amqprpc.Invoker {
	return func(ctx context.Context, req *amqprpc.Request) (*amqprpc.Response, error) {
		if caller, _ := middleware.Principal[Caller](ctx); !caller.May(req.Queue()) {
			return nil, amqprpc.Errorf(amqprpc.CodePermissionDenied, "%s may not call %s", caller.Name, req.Queue())
		}
		return next(ctx, req)
	}
}

// encoding logs how a request was compressed.
func encoding(req *amqprpc.Request) []slog.Attr {
	if d := req.Delivery(); d != nil && d.ContentEncoding != "" {
		return []slog.Attr{slog.String("encoding", d.ContentEncoding), slog.Int("bytes", len(d.Body))}
	}
	return nil
}

// onRetry counts a retry, and writes it into the span of the call.
func (s *Service) onRetry(ctx context.Context, req *amqprpc.Request, err error, pause time.Duration) {
	code := amqprpc.CodeOf(err).String()
	s.retries.WithLabelValues(req.Queue(), code).Inc()
	trace.SpanFromContext(ctx).AddEvent("retry", trace.WithAttributes(
		attribute.String("after", err.Error()), attribute.Float64("pause", pause.Seconds())))
}

// onHedge counts a call with two attempts, and writes it into the span of the call.
func (s *Service) onHedge(ctx context.Context, req *amqprpc.Request, secondWon bool) {
	winner := "first"
	if secondWon {
		winner = "second"
	}
	s.hedges.WithLabelValues(req.Queue(), winner).Inc()
	trace.SpanFromContext(ctx).AddEvent("hedge", trace.WithAttributes(attribute.String("winner", winner)))
}

// onBreaker logs each change of a breaker, and shows its state as a metric.
func (s *Service) onBreaker(queue string, from, to breaker.State) {
	s.breakers.WithLabelValues(queue).Set(float64(to))
	s.Log.Warn("circuit breaker", "queue", queue, "from", from.String(), "to", to.String())
}
