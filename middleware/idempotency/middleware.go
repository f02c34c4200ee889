package idempotency

import (
	"context"
	"log/slog"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
)

// New makes the middleware on a store. On a client the middleware passes every request
// on. On a server it answers each stream with failed_precondition. New panics if store is
// nil.
func New(store Store, opts ...Option) amqprpc.Middleware {
	if store == nil {
		panic("idempotency: New: the store is nil")
	}
	c := &config{
		store: store, owner: uuid.NewString() + "-", log: slog.Default(),
		lease: defaultLease, storeTimeout: defaultStoreTimeout,
		isAnswer: isAnswer,
	}
	for _, o := range opts {
		o(c)
	}
	if s, ok := store.(NonBlocking); ok {
		c.nonBlocking = s.NonBlocking()
	}
	return func(next amqprpc.Invoker) amqprpc.Invoker {
		return func(ctx context.Context, req *amqprpc.Request) (*amqprpc.Response, error) {
			switch {
			case req.IsClient():
				return next(ctx, req)
			case req.Kind().IsStream():
				return nil, amqprpc.Errorf(amqprpc.CodeFailedPrecondition, "the server has idempotency middleware around a stream, which cannot be answered from a store: give the middleware to the handlers of calls only")
			}
			// The caller may correct a request that cannot be decoded, and send it again.
			msg, err := req.Message()
			if err != nil {
				return next(ctx, req)
			}
			key := c.key(ctx, req)
			if key == "" {
				return next(ctx, req)
			}
			x := &execution{config: c, req: req, next: next, key: key, claim: Claim{
				Owner: c.owner + strconv.FormatUint(c.claims.Add(1), 36), Lease: c.lease,
			}}
			if !c.anyBody {
				x.claim.Fingerprint = fingerprint(req, msg)
			}
			return x.run(ctx)
		}
	}
}

const (
	defaultLease        = 10 * time.Second
	minLease            = 10 * time.Millisecond
	defaultStoreTimeout = 2 * time.Second
)

// config is shared by all executions of one middleware.
type config struct {
	store        Store
	owner        string // the prefix of every claim's owner
	claims       atomic.Uint64
	log          *slog.Logger
	lease        time.Duration
	storeTimeout time.Duration
	nonBlocking  bool // no method of the store waits
	idOf         func(context.Context, *amqprpc.Request) string
	isAnswer     func(error) bool
	failOpen     bool
	anyBody      bool
	replayHeader string
}
