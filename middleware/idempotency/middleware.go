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

// New makes a server answer a repeated call with the first answer, instead
// of running its handler again: a request that the broker delivers again, one that
// a client sends again ([amqprpc.WithIdempotent]), and one that is made again under
// the same id, by the same process or another ([amqprpc.WithCallID]). Servers that
// share a store know of each other's answers. A repetition that comes while the
// first execution still runs waits for its answer, for as long as its ctx allows.
//
// What is the same call: the same queue and the same [amqprpc.Request.ID]. Of
// requests that bring a correlation id and no message id, as foreign clients'
// may, the reply queue belongs to the key as well, since nobody else's numbers
// their calls; a request with neither is not looked at. [WithKey] replaces the
// id. The same id with another body in the same content type is a mistake, and is
// refused as failed_precondition ([WithAnyBody] allows it); between codecs
// bodies are not compared, and a repetition is answered with the stored bytes and
// their own content type, by which callers decode.
//
// What is an answer: a result, with its metadata, and an error that the handler
// decided on, with its code, message, details and metadata. Errors that ask for
// another attempt are not remembered: unavailable, resource_exhausted, aborted,
// deadline_exceeded and canceled ([WithRememberedErrors] decides otherwise). Neither
// are panics, nor any error of a handler whose ctx has ended, since nobody can tell
// it from the ctx's: a handler cancelled because its connection was lost gives its
// claim back, so that the redelivery runs. A notification's answer is that it was
// done. Requests that do not decode never reach the store.
//
// When an execution dies with its process, its claim in the store runs out (see
// [WithLease]), and a repetition that waits then runs. An execution that was
// taken for dead (a machine asleep, a store out of reach) may therefore run at the
// same time as its successor; both are answered with what was stored first. There
// is no exactly-once: between a handler's effect and its answer in the store there
// is a gap in which a process can die. Who must close it writes the call's id into
// the same transaction as the effect.
//
// When the store fails before the handler has started, the request is refused,
// unavailable ([WithFailOpen] runs it instead). When it fails afterwards, the
// caller gets the handler's answer, which is then not remembered.
//
// Where it belongs in the chain: whoever knows a call's id gets its answer, so
// authentication and authorization go before it, as do validation and rate limits,
// whose refusals are not answers. What comes after it in the chain is not run for a
// repetition.
//
// The outcome of an error tells of the call, and not only of the repetition, which does
// not run: executed with a remembered error, unknown where the wait for an answer was in
// vain.
//
// On a client it does nothing. It panics if store is nil.
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
			kind := req.Kind()
			if req.IsClient() || kind != amqprpc.Unary && kind != amqprpc.Notification {
				return next(ctx, req)
			}
			// What does not decode is no call yet: it may come again, and right.
			if _, err := req.Message(); err != nil {
				return next(ctx, req)
			}
			key := c.key(req)
			if key == "" {
				return next(ctx, req)
			}
			x := &execution{config: c, req: req, next: next, key: key, claim: Claim{
				Owner: c.owner + strconv.FormatUint(c.claims.Add(1), 36), Fingerprint: fingerprint(req), Lease: c.lease,
			}}
			return x.run(ctx)
		}
	}
}

const (
	defaultLease        = 10 * time.Second
	minLease            = 10 * time.Millisecond
	defaultStoreTimeout = 2 * time.Second
)

// config is what one New's executions share.
type config struct {
	store        Store
	owner        string // the stem of its claims' names
	claims       atomic.Uint64
	log          *slog.Logger
	lease        time.Duration
	storeTimeout time.Duration
	nonBlocking  bool // the store never waits, see NonBlocking
	idOf         func(*amqprpc.Request) string
	isAnswer     func(error) bool
	failOpen     bool
	anyBody      bool
	replayHeader string
}
