package amqprpc

import (
	"context"
	"sync"
	"time"

	"github.com/bbebcec1/amqprpc-go/amqprpc/describe"
	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/messaging"
)

// report says how the methods do.
func (s *Server) report() describe.Stats {
	all := s.sorted()
	served := make(map[string]bool)
	for _, q := range s.Status().Queues {
		served[q.Name] = q.Served
	}
	depths := s.questions.depths.of(all)
	d := describe.Stats{Identity: s.identity(describe.TypeStats), Time: time.Now(), Methods: []describe.MethodStats{}}
	for _, e := range all {
		m := e.report()
		m.Served = served[e.queue]
		if i, known := depths[e.queue]; known && i.Err == nil {
			m.Depth, m.Consumers = &i.Messages, &i.Consumers
		}
		d.Methods = append(d.Methods, m)
	}
	return d
}

func (e *endpoint) report() describe.MethodStats {
	t := &e.tally
	m := describe.MethodStats{
		Queue: e.queue, InFlight: t.running.Load(), Calls: make(map[string]int64),
		Refused: t.refused.Load(), Redelivered: t.redelivered.Load(),
		Handler: t.handler.snapshot(), Queued: t.queued.snapshot(), Failures: t.failures.snapshot(),
	}
	m.Waiting = max(e.load.Load()-m.InFlight, 0)
	for code, n := range t.failed.snapshot() {
		m.Calls[string(code)] = n
	}
	if n := t.ok.Load(); n > 0 {
		m.Calls[string(CodeOK)] = n
	}
	return m
}

const (
	depthPatience = 200 * time.Millisecond // to find out the depths of all queues
	depthKept     = time.Second            // then it is found out again
)

// depths are the depths of the queues as they were lately.
type depths struct {
	inspect func(ctx context.Context, queue string) messaging.Inspection

	mu    sync.Mutex
	at    time.Time // when they were found out
	known map[string]messaging.Inspection
}

// of returns what can be found out soon.
func (d *depths) of(all []*endpoint) map[string]messaging.Inspection {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.known != nil && time.Since(d.at) < depthKept {
		return d.known
	}
	ctx, cancel := context.WithTimeout(context.Background(), depthPatience)
	defer cancel()
	known := make(map[string]messaging.Inspection)
	for _, e := range all {
		i := d.known[e.queue]
		if !i.Hidden() { // else the broker would log a refusal each second
			i = d.inspect(ctx, e.queue)
		}
		known[e.queue] = i
	}
	d.at, d.known = time.Now(), known
	return known
}
