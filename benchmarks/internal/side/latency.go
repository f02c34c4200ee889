package side

import (
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// latencies is a histogram with a shard for each recording goroutine.
type latencies []struct {
	mu sync.Mutex
	h  *hdrhistogram.Histogram
	_  [48]byte // puts each shard on a cache line of its own
}

const (
	longestLatency = 2 * time.Minute
	latencyShards  = 16
)

func newLatencies() latencies {
	l := make(latencies, latencyShards)
	for i := range l {
		l[i].h = hdrhistogram.New(1, longestLatency.Microseconds(), 3)
	}
	return l
}

func (l latencies) record(shard int, d time.Duration) {
	s := &l[shard%len(l)]
	s.mu.Lock()
	// RecordValue fails only for values over two minutes, which no call takes.
	_ = s.h.RecordValue(d.Microseconds())
	s.mu.Unlock()
}

// into stores the percentiles in r. No goroutine may record at the same time.
func (l latencies) into(r *Result) {
	all := l[0].h
	for i := range l[1:] {
		all.Merge(l[i+1].h)
	}
	at := func(q float64) time.Duration { return time.Duration(all.ValueAtQuantile(q)) * time.Microsecond }
	r.P50, r.P99, r.P999 = at(50), at(99), at(99.9)
}
