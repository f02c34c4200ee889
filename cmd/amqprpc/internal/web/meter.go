package web

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"iter"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/bbebcec1/amqprpc-go/amqprpc/describe"
)

const (
	pollEvery   = 900 * time.Millisecond // less than the second of the page, so that timers that are early count
	maxSamples  = 120                    // kept of each method
	maxMeasured = 2000                   // instances whose statistics are compared with earlier ones
	maxPairs    = 10_000                 // methods of all these instances
	maxBuckets  = 300                    // of a histogram; a server has fewer
)

// meter asks for statistics when a page does, and keeps the samples of the last two minutes.
// It asks once for all pages that are open. Nobody is asked while no page is visible.
type meter struct {
	ask func(context.Context) iter.Seq2[describe.Stats, error]

	mu      sync.Mutex
	at      time.Time // of the last question
	seq     int       // of the last sample
	last    map[string]map[string]describe.MethodStats
	times   map[string]time.Time // the clocks of the instances at the last question
	gauges  map[string]*gauge
	members string
	count   int
}

func newMeter(ask func(context.Context) iter.Seq2[describe.Stats, error]) *meter {
	return &meter{ask: ask, gauges: make(map[string]*gauge)}
}

// statsReply is what has been measured since the page asked last.
type statsReply struct {
	Seq       int                     `json:"seq"`
	Members   string                  `json:"members"` // changes when an instance comes or goes
	Instances int                     `json:"instances"`
	Unlisted  int                     `json:"unlisted"` // instances beyond those that are measured
	Methods   map[string]*gaugeReport `json:"methods"`
}

func (p *Page) stats(w http.ResponseWriter, r *http.Request) {
	if broker, ok := p.connection(); !ok {
		refuse(w, http.StatusServiceUnavailable, "unavailable", "there is no connection to the broker "+broker)
		return
	}
	after, _ := strconv.Atoi(r.URL.Query().Get("after")) // all samples, if it is no number
	ctx, cancel := context.WithTimeout(r.Context(), askTime)
	defer cancel()
	reply, err := p.meter.since(ctx, after)
	if err != nil {
		refuse(w, http.StatusServiceUnavailable, "unavailable", "the statistics did not come: "+cut(err.Error(), maxText))
		return
	}
	writeJSON(w, http.StatusOK, reply)
}

// since takes a sample if the last one is old, and returns the samples after a number.
func (m *meter) since(ctx context.Context, after int) (*statsReply, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if time.Since(m.at) >= pollEvery {
		if err := m.sample(ctx); err != nil {
			return nil, err
		}
	}
	if after > m.seq { // of a server that ran before
		after = 0
	}
	out := &statsReply{Seq: m.seq, Members: m.members, Instances: m.count, Unlisted: max(0, m.count-maxMeasured), Methods: make(map[string]*gaugeReport)}
	for queue, g := range m.gauges {
		out.Methods[queue] = g.report(after)
	}
	return out, nil
}

// sample asks all instances and compares their answers with the last ones.
func (m *meter) sample(ctx context.Context) error {
	now, elapsed := time.Now(), time.Since(m.at)
	last := make(map[string]map[string]describe.MethodStats)
	times := make(map[string]time.Time)
	sums := make(map[string]*sum)
	count, pairs := 0, 0
	var failed error
	for s, err := range m.ask(ctx) {
		if err != nil {
			failed = err
			continue
		}
		count++
		if len(last) == maxMeasured {
			continue
		}
		period := period(s.Time.Sub(m.times[s.Instance]), elapsed)
		before := m.last[s.Instance]
		methods := make(map[string]describe.MethodStats)
		for _, ms := range s.Methods {
			if len(ms.Queue) > maxText || pairs == maxPairs || sums[ms.Queue] == nil && len(sums) == maxMethods {
				continue
			}
			pairs++
			tame(&ms)
			if sums[ms.Queue] == nil {
				sums[ms.Queue] = newSum()
			}
			earlier, known := before[ms.Queue]
			sums[ms.Queue].add(&ms, &earlier, known, period)
			ms.Failures = nil // only the latest ones are shown
			methods[ms.Queue] = ms
		}
		last[s.Instance], times[s.Instance] = methods, s.Time
	}
	if count == 0 && failed != nil {
		return failed
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	m.seq++
	m.at, m.last, m.times, m.count, m.members = now, last, times, count, membersOf(last)
	m.record(now, sums)
	return nil
}

// tame bounds what the meter keeps of an instance that says too much.
func tame(m *describe.MethodStats) {
	for _, h := range []*describe.Histogram{&m.Handler, &m.Queued} {
		if len(h.Buckets) > maxBuckets {
			*h = describe.Histogram{}
		}
	}
	calls := make(map[string]int64)
	for _, code := range slices.Sorted(maps.Keys(m.Calls)) {
		if len(calls) < maxFaults {
			calls[cut(code, maxText)] = limit(m.Calls[code])
		}
	}
	m.Calls = calls
}

// record adds a sample to each method, and forgets methods that are gone for long.
func (m *meter) record(now time.Time, sums map[string]*sum) {
	for queue, s := range sums {
		g := m.gauges[queue]
		if g == nil {
			g = &gauge{}
			m.gauges[queue] = g
		}
		g.put(m.seq, now, s)
	}
	maps.DeleteFunc(m.gauges, func(queue string, g *gauge) bool {
		if sums[queue] == nil {
			g.put(m.seq, now, newSum())
		}
		return sums[queue] == nil && m.seq-g.alive > maxSamples
	})
}

// period is the time between two answers of an instance. Its clock is exact, unless it is
// wrong: then the clock of this process is taken.
func period(byServer, byUs time.Duration) time.Duration {
	if byServer < byUs/2 || byServer > 2*byUs {
		return max(byUs, time.Millisecond)
	}
	return byServer
}

func membersOf(last map[string]map[string]describe.MethodStats) string {
	h := sha256.New()
	for _, id := range slices.Sorted(maps.Keys(last)) {
		h.Write([]byte(id))
		h.Write([]byte{0})
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}
