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
)

// handBackGrace is how long cancelled handlers are waited for, past the drain
// limit, before Serve returns without them.
const handBackGrace = time.Second

// Server answers the requests of the queues that handlers were registered on,
// over one connection with a channel for each queue, or up to eight while some of
// its handlers take much longer than the rest.
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
	tasks   sync.WaitGroup
	clocks  *senderClocks
	idStem  string
	idCount atomic.Uint64
}

// NewServer makes a server for the broker at url, an AMQP URI
// (https://www.rabbitmq.com/docs/uri-spec). It does not connect; Serve does, and
// reports a URL or an option that is wrong.
func NewServer(url string, opts ...ServerOption) *Server {
	s := &Server{
		url: url, ready: make(chan struct{}), clocks: newSenderClocks(), idStem: newID() + "-",
		cfg: serverConfig{conn: newConnConfig(), drainTimeout: defaultDrainTimeout, clockSkew: defaultClockSkew},
	}
	for _, o := range opts {
		o.applyServer(&s.cfg)
	}
	s.log = s.cfg.conn.logger
	s.replyPolicy, s.err = newReplyPolicy(s.cfg.replyTo)
	return s
}

// Ready returns a channel that is closed once every queue is being consumed for
// the first time.
func (s *Server) Ready() <-chan struct{} { return s.ready }

// freshID is the id of a request that brought none.
func (s *Server) freshID() string { return s.idStem + strconv.FormatUint(s.idCount.Add(1), 36) }

// Serve connects, declares and consumes the registered queues, and answers
// requests until ctx is done. A lost connection is made anew, for ever; only what
// cannot succeed (credentials, a virtual host, a permission, a queue that exists
// with other properties) is returned, and only before the server was ready: later
// it is logged and tried again.
//
// When ctx is done the server drains: it takes no further requests, answers those
// that it has, and returns nil. Past the drain limit ([WithDrainTimeout]) it
// cancels the ctx of the handlers that still run, hands their requests back to
// the queue, to be delivered again and marked so, and returns an error that says
// how many. Serve can be called once.
func (s *Server) Serve(ctx context.Context) error {
	s.mu.Lock()
	switch {
	case s.serving:
		s.mu.Unlock()
		return errors.New("amqprpc: serve: the server serves, or has served, already")
	case s.err != nil:
		s.mu.Unlock()
		return fmt.Errorf("amqprpc: serve: %w", s.err)
	case len(s.endpoints) == 0:
		s.mu.Unlock()
		return errors.New("amqprpc: serve: no handler is registered")
	}
	s.serving = true
	s.mu.Unlock()
	d, err := newDialer(s.url, "server", s.cfg.conn)
	if err != nil {
		return fmt.Errorf("amqprpc: serve: %w", err)
	}
	r := &serving{Server: s, dialer: d, stop: make(chan struct{})}
	r.base, r.cancel = context.WithCancel(context.WithoutCancel(ctx))
	for _, e := range s.endpoints {
		q := &servedQueue{
			server: s, endpoint: e, jobs: make(chan *inbound, e.cfg.prefetch), stop: r.stop, base: r.base,
			pressure: pressure{bound: int64(min(e.cfg.concurrency, e.cfg.prefetch))},
		}
		q.slots.init(e.cfg.concurrency)
		q.pace.init()
		r.queues = append(r.queues, q)
	}
	err = r.run(ctx)
	r.cancel()
	close(r.stop)
	if left := r.wait(handBackGrace); err == nil && left > 0 {
		err = fmt.Errorf("%d handlers do not heed their ctx and still run", left)
	}
	if err != nil {
		return fmt.Errorf("amqprpc: serve: %w", err)
	}
	return nil
}

// serving is the state of one Serve.
type serving struct {
	*Server
	dialer *dialer
	queues []*servedQueue
	base   context.Context // of all handlers
	cancel context.CancelFunc
	stop   chan struct{} // ends the workers
}

// wait waits for all goroutines to end, and returns how many handlers kept it
// from that.
func (r *serving) wait(limit time.Duration) int64 {
	done := make(chan struct{})
	go func() {
		defer close(done)
		for _, q := range r.queues {
			q.workers.Wait()
		}
		r.tasks.Wait()
	}()
	var rest sync.WaitGroup
	for _, q := range r.queues {
		rest.Go(func() { q.discard(done) })
	}
	select {
	case <-done:
		rest.Wait()
		return 0
	case <-time.After(limit):
		return max(r.stats.inFlight.Load(), 1)
	}
}

// run keeps the server connected until ctx is done.
func (r *serving) run(ctx context.Context) error {
	var wait backoff
	connected := false
	for {
		link, err := r.dialer.dial(ctx)
		if ctx.Err() != nil {
			if err == nil {
				link.close(closeTimeout)
			}
			return nil
		}
		if err != nil {
			if isPermanent(err) && !r.isReady() {
				return err
			}
			pause := wait.next()
			r.cfg.conn.state(StateDisconnected)
			r.log.Warn("amqprpc: server is not connected", "error", err, "retry_in", pause)
			sleep(ctx, pause)
			continue
		}
		if connected {
			r.stats.reconnects.Add(1)
		}
		if !connected {
			if err = link.mayPublish(ctx); err != nil {
				link.close(closeTimeout)
				if isPermanent(err) {
					return err
				}
				sleep(ctx, wait.next())
				continue
			}
		}
		r.cfg.conn.state(StateConnected)
		r.log.Info("amqprpc: server is connected", "broker", r.dialer.addr, "again", connected)
		connected = true
		start := time.Now()
		ep := &serverEpoch{serving: r, link: link}
		drained, err := ep.run(ctx)
		if drained || isPermanent(err) {
			return err
		}
		r.cfg.conn.state(StateDisconnected)
		r.log.Warn("amqprpc: server lost its connection", "broker", r.dialer.addr, "error", err)
		if time.Since(start) > backoffMost {
			wait.reset()
		}
		sleep(ctx, wait.next())
	}
}

func (s *Server) isReady() bool { return isClosed(s.ready) }

// queueReady notes that a queue is consumed.
func (r *serving) queueReady(q *servedQueue) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if q.ready {
		return
	}
	q.ready = true
	for _, q := range r.queues {
		if !q.ready {
			return
		}
	}
	close(r.ready)
}
