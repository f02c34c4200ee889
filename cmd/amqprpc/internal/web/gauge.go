package web

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/bbebcec1/amqprpc-go/amqprpc/describe"
)

// sum adds what all instances of a method say.
type sum struct {
	instances                int
	okRate, errorRate        float64            // a second
	handler, queued          describe.Histogram // since the last sample
	allHandler, allQueued    describe.Histogram // since the instances began
	calls                    map[string]int64
	waiting, inFlight, depth int64
	failures                 []describe.Failure
}

func newSum() *sum { return &sum{calls: make(map[string]int64)} }

// maxFailures is how many kinds of errors the page shows of a method.
const maxFailures = 10

// add adds one instance. Only with earlier statistics can there be a rate.
func (s *sum) add(now, before *describe.MethodStats, known bool, period time.Duration) {
	s.instances++
	s.waiting += limit(now.Waiting)
	s.inFlight += limit(now.InFlight)
	if now.Depth != nil {
		s.depth = max(s.depth, limit(int64(*now.Depth))) // all instances see the same queue
	}
	for code, n := range now.Calls {
		if _, ok := s.calls[code]; !ok && len(s.calls) == maxFaults {
			continue
		}
		s.calls[code] += n
		if !known || n < before.Calls[code] {
			continue
		}
		rate := float64(n-before.Calls[code]) / period.Seconds()
		if code == "ok" {
			s.okRate += rate
		} else {
			s.errorRate += rate
		}
	}
	s.allHandler, s.allQueued = s.allHandler.Merge(now.Handler), s.allQueued.Merge(now.Queued)
	if known {
		s.handler = s.handler.Merge(now.Handler.Since(before.Handler))
		s.queued = s.queued.Merge(now.Queued.Since(before.Queued))
	}
	for _, f := range now.Failures[:min(len(now.Failures), maxFailures)] {
		s.failures = append(s.failures, describe.Failure{Code: cut(f.Code, maxText), Message: cut(f.Message, 2*maxText), Count: limit(f.Count), Last: f.Last})
	}
	if len(s.failures) > 10*maxFailures {
		s.failures = latest(s.failures)
	}
}

// latest merges equal failures and returns the last ones first.
func latest(all []describe.Failure) []describe.Failure {
	type kind struct{ code, message string }
	merged := make(map[kind]describe.Failure)
	for _, f := range all {
		k := kind{f.Code, f.Message}
		m := merged[k]
		m.Code, m.Message, m.Count = f.Code, f.Message, m.Count+f.Count
		if f.Last.After(m.Last) {
			m.Last = f.Last
		}
		merged[k] = m
	}
	out := slices.SortedFunc(maps.Values(merged), func(a, b describe.Failure) int {
		return cmp.Or(b.Last.Compare(a.Last), cmp.Compare(a.Code, b.Code), cmp.Compare(a.Message, b.Message))
	})
	return out[:min(len(out), maxFailures)]
}

// gauge is a method's samples and its latest totals.
type gauge struct {
	samples []sample
	alive   int // the number of the last sample with an instance
	totals  totals
}

// sample is what happened in about a second. Times are in milliseconds, and nil without calls.
type sample struct {
	seq       int
	At        int64    `json:"at"` // Unix time
	OK        float64  `json:"ok"` // calls a second
	Errors    float64  `json:"errors"`
	P50       *float64 `json:"p50"`
	P99       *float64 `json:"p99"`
	QueuedP99 *float64 `json:"queued_p99"`
	InFlight  int64    `json:"in_flight"`
	Waiting   int64    `json:"waiting"`
}

// totals count since the instances began.
type totals struct {
	Instances int                `json:"instances"`
	Calls     map[string]int64   `json:"calls"`
	Depth     int64              `json:"depth"`
	P50       *float64           `json:"p50"`
	P99       *float64           `json:"p99"`
	P999      *float64           `json:"p999"`
	QueuedP99 *float64           `json:"queued_p99"`
	Failures  []describe.Failure `json:"failures"`
}

type gaugeReport struct {
	Samples []sample `json:"samples"`
	totals
}

func (g *gauge) put(seq int, now time.Time, s *sum) {
	if s.instances > 0 {
		g.alive = seq
		g.totals = totals{
			Calls: s.calls, Depth: s.depth, Failures: latest(s.failures),
			P50: quantile(&s.allHandler, 0.5), P99: quantile(&s.allHandler, 0.99), P999: quantile(&s.allHandler, 0.999),
			QueuedP99: quantile(&s.allQueued, 0.99),
		}
	}
	g.totals.Instances = s.instances
	g.samples = append(g.samples, sample{
		seq: seq, At: now.UnixMilli(), OK: s.okRate, Errors: s.errorRate,
		P50: quantile(&s.handler, 0.5), P99: quantile(&s.handler, 0.99), QueuedP99: quantile(&s.queued, 0.99),
		InFlight: s.inFlight, Waiting: s.waiting,
	})
	if n := len(g.samples) - maxSamples; n > 0 {
		g.samples = slices.Delete(g.samples, 0, n)
	}
}

func (g *gauge) report(after int) *gaugeReport {
	i := slices.IndexFunc(g.samples, func(s sample) bool { return s.seq > after })
	if i < 0 {
		i = len(g.samples)
	}
	return &gaugeReport{Samples: slices.Clone(g.samples[i:]), totals: g.totals}
}

func quantile(h *describe.Histogram, q float64) *float64 {
	if h.Count <= 0 {
		return nil
	}
	ms := milliseconds(h.Quantile(q))
	return &ms
}
