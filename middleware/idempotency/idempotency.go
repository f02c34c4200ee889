package idempotency

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"log/slog"
	"strconv"
	"strings"
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
	id := &idempotency{
		store: store, owner: uuid.NewString() + "-", log: slog.Default(),
		lease: defaultLease, storeTimeout: defaultStoreTimeout,
		isAnswer: isAnswer,
	}
	for _, o := range opts {
		o(id)
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
			key := id.key(req)
			if key == "" {
				return next(ctx, req)
			}
			x := &execution{idempotency: id, req: req, next: next, key: key, claim: Claim{
				Owner: id.owner + strconv.FormatUint(id.claims.Add(1), 36), Fingerprint: fingerprint(req), Lease: id.lease,
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

// idempotency is what one Idempotent's executions share.
type idempotency struct {
	store        Store
	owner        string // the stem of its claims' names
	claims       atomic.Uint64
	log          *slog.Logger
	lease        time.Duration
	storeTimeout time.Duration
	idOf         func(*amqprpc.Request) string
	isAnswer     func(error) bool
	failOpen     bool
	anyBody      bool
	replayHeader string
}

// Option configures [New].
type Option func(*idempotency)

// WithLease sets how long a claim lasts that its server does not renew, which
// it does three times in that time while the handler runs: how long a repetition
// waits at most for a server that died. The default is 10 s, values below 10 ms count
// as that. Longer than it, a server must not be asleep or away from its store.
func WithLease(d time.Duration) Option {
	return func(id *idempotency) { id.lease = max(d, minLease) }
}

// WithKey replaces [amqprpc.Request.ID] in the key, for ids that are unique to
// a tenant only, or where the message itself says which call it is
// ([amqprpc.Request.Message] has it). The queue's name stays part of the key. A
// request for which f returns "" is handled as if there were no middleware.
func WithKey(f func(req *amqprpc.Request) string) Option {
	return func(id *idempotency) { id.idOf = f }
}

// WithRememberedErrors replaces the rule by which errors are remembered: those for which
// f returns true are answers. It is not asked about errors of a handler whose ctx has
// ended, which never are. It is asked about panics, which [amqprpc.PanicError] tells.
// It must be safe for concurrent use.
func WithRememberedErrors(f func(err error) bool) Option {
	return func(id *idempotency) { id.isAnswer = f }
}

// WithFailOpen runs requests whose claim the store did not take, because it is
// down: repetitions then run as well. The default is to refuse them, unavailable.
func WithFailOpen() Option {
	return func(id *idempotency) { id.failOpen = true }
}

// WithAnyBody answers a repeated id with the first answer whatever its body is,
// for callers whose bodies differ between attempts (a time, the number of the
// attempt). The default is to refuse another body, failed_precondition.
func WithAnyBody() Option {
	return func(id *idempotency) { id.anyBody = true }
}

// WithReplayHeader adds name, with the value "true", to the metadata of every
// answer that is replayed. The default is to add nothing.
func WithReplayHeader(name string) Option {
	return func(id *idempotency) { id.replayHeader = name }
}

// WithStoreTimeout bounds each operation on the store. The default is 2 s;
// values of zero and below leave it.
func WithStoreTimeout(d time.Duration) Option {
	return func(id *idempotency) {
		if d > 0 {
			id.storeTimeout = d
		}
	}
}

// WithLogger sets where failures of the store and lost claims are logged. The
// default is slog.Default() as it is when the middleware is made; nil means no logging.
func WithLogger(l *slog.Logger) Option {
	if l == nil {
		l = slog.New(slog.DiscardHandler)
	}
	return func(id *idempotency) { id.log = l }
}

// isAnswer is the default rule: whether an error is the handler's last word on a
// call. The codes that are not are those of which gRPC's documentation says that the
// client may try again, and a context's.
func isAnswer(err error) bool {
	if _, panicked := errors.AsType[*amqprpc.PanicError](err); panicked {
		return false
	}
	switch amqprpc.CodeOf(err) {
	case amqprpc.CodeUnavailable, amqprpc.CodeResourceExhausted, amqprpc.CodeAborted,
		amqprpc.CodeDeadlineExceeded, amqprpc.CodeCanceled:
		return false
	default:
		return true
	}
}

// key is where the store keeps the request's answer, "" for nowhere. The queue's
// length keeps a queue "a" with the id "b:c" apart from a queue "a:b" with the id "c".
func (id *idempotency) key(req *amqprpc.Request) string {
	queue := strconv.Itoa(len(req.Queue())) + ":" + req.Queue()
	if id.idOf != nil {
		own := id.idOf(req)
		if own == "" {
			return ""
		}
		return queue + ":" + own
	}
	d := req.Delivery()
	switch {
	case d.MessageId != "":
		return queue + ":" + req.ID()
	case d.CorrelationId == "":
		return "" // the id was made up here, anew for each delivery
	default:
		// Who holds a direct reply-to address can write to it: it goes nowhere in clear.
		sum := sha256.Sum256([]byte(d.ReplyTo))
		return queue + "@" + hex.EncodeToString(sum[:12]) + ":" + req.ID()
	}
}

// fingerprint tells bodies apart: a hash and the media type that it is of.
func fingerprint(req *amqprpc.Request) string {
	sum := sha256.Sum256(req.Body())
	mediaType, _, _ := strings.Cut(req.ContentType(), ";")
	return hex.EncodeToString(sum[:16]) + " " + strings.ToLower(strings.TrimSpace(mediaType))
}

// contradicts reports whether two fingerprints are of different bodies, as far as
// can be told: bodies of different media types cannot be compared.
func contradicts(a, b string) bool {
	sumA, typeA, _ := strings.Cut(a, " ")
	sumB, typeB, _ := strings.Cut(b, " ")
	return typeA == typeB && sumA != sumB
}
