package amqprpc

import (
	"math/bits"
	"sync/atomic"
	"time"

	"github.com/bbebcec1/amqprpc-go/amqprpc/describe"
)

// A recorder counts durations in buckets whose bounds grow: eight for each octave, from about
// a microsecond on. So a duration is at most an eighth shorter than the bound of its bucket.
const (
	recorderFirst   = 10 // the first bucket is for up to 2^10 ns
	recorderLast    = 62 // durations are below 2^62 ns, which is more than a century
	recorderParts   = 3  // an octave has 2^3 buckets
	recorderBuckets = 1 + (recorderLast-recorderFirst)<<recorderParts
)

// recorder is a histogram of durations that is cheap to add to. The zero value is empty.
type recorder struct {
	sum, longest atomic.Int64
	buckets      [recorderBuckets]atomic.Int64
}

// add counts a duration. It costs two atomic additions.
func (r *recorder) add(d time.Duration) {
	n := int64(within(0, d, 1<<recorderLast-1))
	r.buckets[bucketOf(n)].Add(1)
	r.sum.Add(n)
	for {
		longest := r.longest.Load()
		if n <= longest || r.longest.CompareAndSwap(longest, n) {
			return
		}
	}
}

// bucketOf is the bucket for n nanoseconds.
func bucketOf(n int64) int {
	below := uint64(max(n-1, 0)) // a bucket has its bound in it
	octave := bits.Len64(below) - 1
	if octave < recorderFirst {
		return 0
	}
	part := int(below>>(octave-recorderParts)) - 1<<recorderParts
	return 1 + (octave-recorderFirst)<<recorderParts + part
}

// boundOf is the longest duration that bucket i is for, in nanoseconds.
func boundOf(i int) int64 {
	if i == 0 {
		return 1 << recorderFirst
	}
	octave, part := recorderFirst+(i-1)>>recorderParts, (i-1)&(1<<recorderParts-1)
	return int64(1<<recorderParts+part+1) << (octave - recorderParts)
}

// snapshot returns what was counted.
func (r *recorder) snapshot() (h describe.Histogram) {
	for i := range r.buckets {
		if n := r.buckets[i].Load(); n > 0 {
			h.Buckets = append(h.Buckets, describe.Bucket{Bound: boundOf(i), Count: n})
			h.Count += n
		}
	}
	h.Sum, h.Max = r.sum.Load(), r.longest.Load()
	return h
}
