package amqprpc

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/messaging"
	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/overload"
	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/protocol"
	"github.com/bbebcec1/amqprpc-go/compress"
)

// handBackGrace is how long cancelled handlers are waited for, past the drain limit,
// before Serve returns without them.
const handBackGrace = time.Second

// Server answers the requests of the queues on which handlers are registered. It has one
// connection, on which up to 512 queues share a channel. If the broker closes a channel, it
// redelivers the requests in hand of all queues of the channel. A queue that has caused this
// gets a channel of its own.
type Server struct {
	cfg         serverConfig
	url         string
	user        string // whose name the broker accepts as this server's user_id; "" is not known
	log         *slog.Logger
	replyPolicy replyPolicy
	err         error // of an option; Serve returns it

	mu        sync.Mutex
	serving   bool
	endpoints []*endpoint

	ready     chan struct{}
	health    health
	stats     serverCounters
	maxBody   atomic.Int64 // of a reply: the option's limit, or what the broker has been found to take
	clocks    overload.Clocks
	streams   streams
	mailless  atomic.Pointer[error] // why there is no queue for streams
	mail      mail
	questions questions
	schemas   schemas
	born      time.Time
	base      context.Context // of all handlers
	idStem    string
	idCount   atomic.Uint64
}

// NewServer makes a server for the broker at url, an AMQP URI
// (https://www.rabbitmq.com/docs/uri-spec). NewServer does not connect. [Server.Serve]
// connects, and returns an error if the URL or an option is wrong.
func NewServer(url string, opts ...ServerOption) *Server {
	s := &Server{
		url: url, born: time.Now(), ready: make(chan struct{}), idStem: protocol.NewID() + "-",
		cfg: serverConfig{conn: newConnConfig(compress.Gzip{}), drainTimeout: defaultDrainTimeout, clockSkew: defaultClockSkew},
	}
	for _, o := range opts {
		o.applyServer(&s.cfg)
	}
	s.maxBody.Store(int64(s.cfg.conn.maxMessageSize))
	s.mail.rename()
	s.questions.open = make(chan struct{}, questionsMost)
	s.log = s.cfg.conn.log().With("connection", s.cfg.conn.connectionName("server"))
	s.health.log, s.health.onState = s.log, s.cfg.conn.onState
	s.health.begin("", errNotServing)
	s.replyPolicy, s.err = newReplyPolicy(s.cfg.replyTo)
	if s.err == nil {
		s.err = s.cfg.conn.encodings.check()
	}
	s.streams.init(&s.cfg.conn, s.log, func(queue string) bool { return s.replyPolicy.allows(queue) && !protocol.IsDirect(queue) })
	s.streams.refused = func() { s.stats.badControl.Add(1) }
	return s
}

// Ready returns a channel that is closed when the server has begun to consume every queue
// for the first time.
func (s *Server) Ready() <-chan struct{} { return s.ready }

func (s *Server) isReady() bool { return done(s.ready) }

// freshID is the id of a request that brought none.
func (s *Server) freshID() string { return s.idStem + strconv.FormatUint(s.idCount.Add(1), 36) }

// Serve connects, declares and consumes the registered queues, and answers requests until
// ctx ends. If the connection is lost, Serve reconnects, for ever. Until [Server.Ready],
// Serve returns an error if another attempt cannot help. After that, Serve logs such a
// problem and tries again.
//
// When ctx ends, the server drains: it takes no more requests, answers the requests that it
// has, and Serve returns nil. If the drain takes longer than [WithDrainTimeout], the server
// ends the ctx of the handlers that still run. It hands their requests back to the queue,
// marked as redelivered. Serve then returns an error with the number of these requests.
// Serve can be called only once.
//
// The errors are *[Error]. These are the codes:
//
//   - invalid_argument for a wrong URL or option
//   - unauthenticated for a wrong user or password
//   - permission_denied for a missing permission
//   - not_found for a virtual host or passive queue that does not exist
//   - failed_precondition for a queue with other properties, for TLS that does not fit, for
//     a server without a handler, and for a second call of Serve
//   - deadline_exceeded for a drain that took too long
//   - unavailable if the connection was lost during the drain
func (s *Server) Serve(ctx context.Context) error {
	if s.err != nil {
		return setupError("serve", CodeInvalidArgument, s.err)
	}
	dialer, err := s.cfg.conn.dialer(s.url, "server")
	if err != nil {
		return setupError("serve", CodeInvalidArgument, err)
	}
	if err = s.begin(dialer); err != nil {
		return setupError("serve", CodeFailedPrecondition, err)
	}
	base, cancel := context.WithCancel(context.WithoutCancel(ctx))
	s.base = base
	broker := s.brokerSide()
	broker.Replies.Start()
	session := s.session(dialer)
	err = session.Run(ctx, func(work context.Context, conn *messaging.Conn, up func()) error {
		return broker.Use(work, ctx, conn, up)
	})
	code := setupCode(err)
	if err == nil {
		code, err = CodeUnavailable, broker.Drained()
		if broker.Overran() {
			code = CodeDeadlineExceeded
		}
	}
	cancel()
	s.streams.endAll(errStopped())
	if !broker.Stop(handBackGrace) && err == nil {
		code, err = CodeDeadlineExceeded, fmt.Errorf("%s did not return when the ctx ended", messaging.Counted(max(int(s.stats.inFlight.Load()), 1), "handler"))
	}
	for _, e := range s.endpoints {
		e.clock.stop()
	}
	s.streams.stop()
	s.questions.tasks.Wait()
	s.health.end(errServed, time.Time{})
	if err != nil {
		s.log.Warn("amqprpc: server has stopped", "error", err)
		return setupError("serve", code, err)
	}
	s.log.Info("amqprpc: server has drained", "handled", s.stats.handled.Load())
	return nil
}

// begin checks that the server can serve.
func (s *Server) begin(dialer *messaging.Dialer) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.serving:
		return errors.New("the server serves, or has served, already")
	case len(s.endpoints) == 0:
		return errors.New("no handler is registered")
	}
	for _, e := range s.endpoints {
		if err := e.cfg.queue.check(e.queue); err != nil {
			return err
		}
	}
	s.serving = true
	s.user = serverUser(dialer)
	var queues []string
	for _, e := range s.endpoints {
		queues = append(queues, e.queue)
	}
	s.health.addr = dialer.Addr
	s.health.begin(dialer.Addr(), errSilent(dialer.Addr()), queues...)
	return nil
}

// brokerSide makes what the server has on the broker.
func (s *Server) brokerSide() *messaging.Server {
	replies := &messaging.ReplyWriter{
		MaxBody:  &s.maxBody,
		Handled:  &s.stats.handled,
		Returned: func(n int) { s.stats.returnedReplies.Add(int64(n)) },
		InHand:   func() bool { return s.stats.inFlight.Load() > 0 },
	}
	broker := &messaging.Server{
		Replies: replies, DrainTimeout: s.cfg.drainTimeout, Log: s.log,
		Instance: s.mailbox(), Ready: s.ready, Base: s.base,
	}
	broker.Init()
	s.questions.depths.inspect = broker.Inspect
	broker.Streams, broker.Farewell = &s.streams.writer, s.endStreams
	broker.Reachable = func(address string) {
		s.streams.address = func() string { return address }
		s.streams.connected()
	}
	broker.Unreachable = s.streams.disconnected
	broker.Mailless = func(err error) { s.mailless.Store(&err) }
	broker.Draining = func() { s.health.drain(s.stats.inFlight.Load()) }
	for _, e := range s.endpoints {
		e.gauge = overload.NewGauge(min(e.cfg.concurrency, e.cfg.prefetch))
		e.consumer = messaging.Consumer{
			Queue: e.queue, Prefetch: e.cfg.prefetch, Concurrency: e.cfg.concurrency,
			Declare: e.declare,
			Accept:  e.accept,
			Served: func() {
				e.gauge.Consuming(time.Now())
				s.health.served(e.queue)
				s.queueReady(e)
			},
			Unserved: func(err error, wasServed bool, retryIn time.Duration) {
				if limit, ok := messaging.TooLarge(err); ok {
					lowerTo(&s.maxBody, limit) // a reply was larger; the next time it is refused here
				}
				s.health.unserved(e.queue, err, wasServed, retryIn)
			},
			Fatal:   func() bool { return !s.isReady() },
			Base:    s.base,
			Replies: replies,
		}
		if e.kind.IsStream() {
			e.consumer.Full = func() bool { return int(e.load.Load()) >= e.cfg.maxStreams }
			e.consumer.Roomy = func() bool { return int(e.load.Load())+e.cfg.prefetch <= e.cfg.maxStreams }
			e.consumer.GivenBack = func(messaging.Work) { e.load.Add(-1) }
		}
		e.consumer.Init()
		broker.Consumers = append(broker.Consumers, &e.consumer)
	}
	return broker
}

// session makes the session of the server's connection.
func (s *Server) session(dialer *messaging.Dialer) *messaging.Session {
	return &messaging.Session{
		Dialer: dialer,
		Probe:  protocol.ProbePrefix + protocol.NewID(),
		Fatal:  func() bool { return !s.isReady() },
		Up: func(again bool) {
			if again {
				s.stats.reconnects.Add(1)
			}
			s.health.up(again, "")
		},
		Down: s.health.down,
		Blocked: func(active bool, reason string) {
			s.streams.block(active)
			s.health.block(active, reason)
		},
	}
}

// queueReady notes that a queue is consumed.
func (s *Server) queueReady(e *endpoint) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e.ready {
		return
	}
	e.ready = true
	for _, e := range s.endpoints {
		if !e.ready {
			return
		}
	}
	close(s.ready)
}

func (s *Server) panicked(queue string, p any) *Error {
	cause := newPanicError(p)
	s.stats.panics.Add(1)
	s.log.Error("amqprpc: panic in a handler", "queue", queue, "panic", cause.Error(), "stack", string(cause.Stack))
	return &Error{code: CodeInternal, message: "internal error", cause: cause}
}

// exited is the error of a handler that has ended its goroutine instead of returning,
// as runtime.Goexit does, and with it the FailNow of a test.
func (s *Server) exited(queue string) *Error {
	s.stats.panics.Add(1)
	s.log.Error("amqprpc: a handler ended its goroutine (runtime.Goexit) instead of returning", "queue", queue)
	return &Error{code: CodeInternal, message: "internal error"}
}
