package amqprpc

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/messaging"
	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/overload"
	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/protocol"
)

// handBackGrace is how long cancelled handlers are waited for, past the drain limit,
// before Serve returns without them.
const handBackGrace = time.Second

// Server answers the requests of the queues that handlers were registered on, over
// one connection with a channel for each queue.
type Server struct {
	cfg         serverConfig
	url         string
	log         *slog.Logger
	replyPolicy replyPolicy
	err         error // of an option; Serve returns it

	mu        sync.Mutex
	serving   bool
	endpoints []*endpoint

	ready   chan struct{}
	stats   serverCounters
	clocks  overload.Clocks
	base    context.Context // of all handlers
	idStem  string
	idCount atomic.Uint64
}

// NewServer makes a server for the broker at url, an AMQP URI
// (https://www.rabbitmq.com/docs/uri-spec). It does not connect; Serve does, and
// reports a URL or an option that is wrong.
func NewServer(url string, opts ...ServerOption) *Server {
	s := &Server{
		url: url, ready: make(chan struct{}), idStem: protocol.NewID() + "-",
		cfg: serverConfig{conn: newConnConfig(), drainTimeout: defaultDrainTimeout, clockSkew: defaultClockSkew},
	}
	for _, o := range opts {
		o.applyServer(&s.cfg)
	}
	s.log = s.cfg.conn.logger
	s.replyPolicy, s.err = newReplyPolicy(s.cfg.replyTo)
	return s
}

// Ready returns a channel that is closed once every queue is being consumed for the
// first time.
func (s *Server) Ready() <-chan struct{} { return s.ready }

func (s *Server) isReady() bool {
	select {
	case <-s.ready:
		return true
	default:
		return false
	}
}

// freshID is the id of a request that brought none.
func (s *Server) freshID() string { return s.idStem + strconv.FormatUint(s.idCount.Add(1), 36) }

// Serve connects, declares and consumes the registered queues, and answers requests
// until ctx is done. A lost connection is made anew, for ever. Only what cannot
// succeed (credentials, a virtual host, a permission, a queue that exists with other
// properties) is returned, and only before the server was ready: later it is logged
// and tried again.
//
// When ctx is done the server drains: it takes no further requests, answers those
// that it has, and returns nil. Past the drain limit ([WithDrainTimeout]) it cancels
// the ctx of the handlers that still run, hands their requests back to the queue, to
// be delivered again and marked so, and returns an error that says how many. Serve
// can be called once.
func (s *Server) Serve(ctx context.Context) error {
	if err := s.begin(); err != nil {
		return fmt.Errorf("amqprpc: serve: %w", err)
	}
	dialer, err := s.cfg.conn.dialer(s.url, "server")
	if err != nil {
		return fmt.Errorf("amqprpc: serve: %w", err)
	}
	base, cancel := context.WithCancel(context.WithoutCancel(ctx))
	s.base = base
	broker := s.brokerSide()
	broker.Replies.Start()
	session := s.session(dialer)
	err = session.Run(ctx, func(work context.Context, conn *messaging.Conn, up func()) error {
		return broker.Use(work, ctx, conn, up)
	})
	if err == nil {
		err = broker.Drained()
	}
	cancel()
	if !broker.Stop(handBackGrace) && err == nil {
		err = fmt.Errorf("%d handlers do not heed their ctx and still run", max(s.stats.inFlight.Load(), 1))
	}
	for _, e := range s.endpoints {
		e.clock.stop()
	}
	if err != nil {
		return fmt.Errorf("amqprpc: serve: %w", err)
	}
	return nil
}

// begin checks that the server can serve.
func (s *Server) begin() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.serving:
		return errors.New("the server serves, or has served, already")
	case s.err != nil:
		return s.err
	case len(s.endpoints) == 0:
		return errors.New("no handler is registered")
	}
	for _, e := range s.endpoints {
		if err := e.cfg.queue.check(e.queue); err != nil {
			return err
		}
	}
	s.serving = true
	return nil
}

// brokerSide makes what the server has on the broker.
func (s *Server) brokerSide() *messaging.Server {
	replies := &messaging.ReplyWriter{
		MaxBody: s.cfg.conn.maxMessageSize,
		Handled: &s.stats.handled,
		InHand:  func() bool { return s.stats.inFlight.Load() > 0 },
	}
	broker := &messaging.Server{
		Replies: replies, DrainTimeout: s.cfg.drainTimeout, Log: s.log,
		Instance: s.instance(), Ready: s.ready, Base: s.base,
	}
	broker.Draining = func() {
		s.cfg.conn.state(StateDraining)
		s.log.Info("amqprpc: server drains", "in_flight", s.stats.inFlight.Load())
	}
	for _, e := range s.endpoints {
		e.gauge = overload.NewGauge(min(e.cfg.concurrency, e.cfg.prefetch))
		e.consumer = messaging.Consumer{
			Queue: e.queue, Prefetch: e.cfg.prefetch, Concurrency: e.cfg.concurrency,
			Declare:  e.declare,
			Accept:   e.accept,
			Returned: func(n int) { s.stats.returnedReplies.Add(int64(n)) },
			Served: func() {
				e.gauge.Consuming(time.Now())
				s.queueReady(e)
			},
			Unserved: e.unserved,
			Fatal:    func() bool { return !s.isReady() },
			Base:     s.base,
			Replies:  replies,
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
			s.cfg.conn.state(StateConnected)
			s.log.Info("amqprpc: server is connected", "broker", dialer.Addr(), "again", again)
		},
		Down: func(err error, wasUp bool, retryIn time.Duration) {
			s.cfg.conn.state(StateDisconnected)
			if wasUp {
				s.log.Warn("amqprpc: server lost its connection", "broker", dialer.Addr(), "error", err)
			} else {
				s.log.Warn("amqprpc: server is not connected", "error", err, "retry_in", retryIn)
			}
		},
		Blocked: func(active bool, reason string) {
			if active {
				s.cfg.conn.state(StateBlocked)
			} else {
				s.cfg.conn.state(StateUnblocked)
			}
			s.log.Warn("amqprpc: the broker has blocked or unblocked the connection", "blocked", active, "reason", reason)
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

// unserved is called when the queue is not consumed any more, or could not be.
func (e *endpoint) unserved(err error, wasServed bool, retryIn time.Duration) {
	if wasServed {
		e.server.log.Warn("amqprpc: queue is served anew", "queue", e.queue, "error", err)
	} else {
		e.server.log.Warn("amqprpc: queue is not served", "queue", e.queue, "error", err, "retry_in", retryIn)
	}
}

func (s *Server) panicked(queue string, p any) *Error {
	cause := &PanicError{Value: p, Stack: debug.Stack()}
	s.stats.panics.Add(1)
	s.log.Error("amqprpc: panic in a handler", "queue", queue, "panic", fmt.Sprint(p), "stack", string(cause.Stack))
	return &Error{code: CodeInternal, message: "internal error", cause: cause}
}

// exited is the error of a handler that has ended its goroutine instead of returning,
// as runtime.Goexit does, and with it the FailNow of a test.
func (s *Server) exited(queue string) *Error {
	s.stats.panics.Add(1)
	s.log.Error("amqprpc: a handler ended its goroutine (runtime.Goexit) instead of returning", "queue", queue)
	return &Error{code: CodeInternal, message: "internal error"}
}
