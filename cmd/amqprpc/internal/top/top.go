// Package top turns the figures of servers into a table: what happened between two answers.
package top

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/amqprpc/describe"
)

// Row is one method on one server, or one method on all servers.
type Row struct {
	Queue     string        `json:"queue"`
	Service   string        `json:"service"`
	Instance  string        `json:"instance,omitempty"` // "" if the row is of all servers
	Instances int           `json:"instances"`          // that answered last time
	Gone      int           `json:"gone,omitempty"`     // that have answered before, and not last time
	Rate      float64       `json:"calls_per_second"`
	Errors    float64       `json:"errors_per_second"`
	P50       time.Duration `json:"p50_ns"` // of handlers; 0 if no handler has ended
	P99       time.Duration `json:"p99_ns"`
	Queued    time.Duration `json:"queue_p99_ns"` // how long requests waited
	InFlight  int64         `json:"in_flight"`
	Depth     int           `json:"depth"` // messages that wait in the queue; -1 if it is not known
	Served    bool          `json:"served"`
	LastError string        `json:"last_error,omitempty"` // in the last minute

	handler, queued describe.Histogram
}

// keepGone is how long a server that does not answer any more is shown.
const keepGone = 30 * time.Second

// recent is for how long the last error of a method is shown.
const recent = time.Minute

// Table remembers the last answers. It is not safe for concurrent use.
type Table struct {
	seen map[string]*server // by instance
}

// server is what an instance has answered.
type server struct {
	now, before describe.Stats
	last        time.Time // when it answered last, by our clock
	gone        bool      // it did not answer last time
	fresh       bool      // there is a before
}

// maxServers bounds the memory: who answers with a new name each time fills it.
const maxServers = 20_000

// Update takes the answers to one question, and returns a row for each method of each server.
func (t *Table) Update(answers []describe.Stats, now time.Time) []Row {
	if t.seen == nil {
		t.seen = make(map[string]*server)
	}
	for _, s := range t.seen {
		s.gone = true
	}
	for _, a := range answers {
		s := t.seen[a.Instance]
		if s == nil {
			if len(t.seen) >= maxServers {
				continue
			}
			s = &server{}
			t.seen[a.Instance] = s
		} else {
			s.before, s.fresh = s.now, true
		}
		s.now, s.last, s.gone = a, now, false
	}
	var rows []Row
	for id, s := range t.seen {
		if s.gone && now.Sub(s.last) > keepGone {
			delete(t.seen, id)
			continue
		}
		for i := range s.now.Methods {
			rows = append(rows, s.row(&s.now.Methods[i]))
		}
	}
	return rows
}

// row is the row of a method.
func (s *server) row(m *describe.MethodStats) Row {
	r := Row{Queue: m.Queue, Service: s.now.Name, Instance: s.now.Instance, Depth: -1, Served: m.Served, Instances: 1}
	if m.Depth != nil {
		r.Depth = max(*m.Depth, 0)
	}
	if s.gone {
		r.Instances, r.Gone, r.Served, r.Depth = 0, 1, false, -1
		return r
	}
	r.InFlight = m.InFlight
	if len(m.Failures) > 0 && s.now.Time.Sub(m.Failures[0].Last) < recent {
		r.LastError = strings.TrimSuffix(m.Failures[0].Code+": "+m.Failures[0].Message, ": ")
	}
	r.handler, r.queued = m.Handler, m.Queued
	if seconds := s.now.Time.Sub(s.before.Time).Seconds(); s.fresh && seconds > 0 {
		if b := methodOf(s.before.Methods, m.Queue); b != nil {
			r.Rate = float64(growth(m.Total(), b.Total())) / seconds
			r.Errors = float64(growth(failed(m), failed(b))) / seconds
			r.handler, r.queued = m.Handler.Since(b.Handler), m.Queued.Since(b.Queued)
		}
	}
	r.percentiles()
	return r
}

func (r *Row) percentiles() {
	r.P50, r.P99, r.Queued = r.handler.Quantile(0.5), r.handler.Quantile(0.99), r.queued.Quantile(0.99)
}

// growth is how much a counter has grown. A server that was restarted begins at 0.
func growth(now, before int64) int64 {
	if now < before {
		return max(now, 0)
	}
	return now - before
}

func failed(m *describe.MethodStats) int64 { return m.Total() - m.Calls[string(amqprpc.CodeOK)] }

func methodOf(ms []describe.MethodStats, queue string) *describe.MethodStats {
	for i := range ms {
		if ms[i].Queue == queue {
			return &ms[i]
		}
	}
	return nil
}

// ByMethod joins the rows of each queue.
func ByMethod(rows []Row) []Row {
	byQueue := make(map[string]*Row)
	var queues []string
	for _, r := range rows {
		sum := byQueue[r.Queue]
		if sum == nil {
			first := r
			first.Instance = ""
			byQueue[r.Queue] = &first
			queues = append(queues, r.Queue)
			continue
		}
		sum.Instances += r.Instances
		sum.Gone += r.Gone
		sum.Rate += r.Rate
		sum.Errors += r.Errors
		sum.InFlight += r.InFlight
		sum.Depth = max(sum.Depth, r.Depth) // all servers see the same queue
		sum.Served = sum.Served || r.Served
		sum.LastError = cmp.Or(sum.LastError, r.LastError)
		sum.handler, sum.queued = sum.handler.Merge(r.handler), sum.queued.Merge(r.queued)
	}
	all := make([]Row, 0, len(queues))
	for _, q := range queues {
		byQueue[q].percentiles()
		all = append(all, *byQueue[q])
	}
	return all
}

// Columns are what rows can be sorted by.
var Columns = []string{"queue", "rate", "errors", "p50", "p99", "inflight", "depth"}

// Sort sorts rows by a column: names ascending, figures descending.
func Sort(rows []Row, column string) {
	slices.SortStableFunc(rows, func(a, b Row) int {
		return cmp.Or(byColumn(a, b, column), cmp.Compare(a.Queue, b.Queue), cmp.Compare(a.Instance, b.Instance))
	})
}

func byColumn(a, b Row, column string) int {
	switch column {
	case "rate":
		return cmp.Compare(b.Rate, a.Rate)
	case "errors":
		return cmp.Compare(b.Errors, a.Errors)
	case "p50":
		return cmp.Compare(b.P50, a.P50)
	case "p99":
		return cmp.Compare(b.P99, a.P99)
	case "inflight":
		return cmp.Compare(b.InFlight, a.InFlight)
	case "depth":
		return cmp.Compare(b.Depth, a.Depth)
	}
	return 0
}
