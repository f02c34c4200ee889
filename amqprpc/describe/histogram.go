package describe

import (
	"cmp"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"time"
)

// Histogram counts durations in buckets. Histograms of several servers can be merged, and the
// difference of two from the same server is what happened between them. The zero value is
// empty.
type Histogram struct {
	Count   int64    `json:"count"`
	Sum     int64    `json:"sum_ns"`
	Max     int64    `json:"max_ns,omitempty"`
	Buckets []Bucket `json:"buckets,omitempty"` // in rising order; empty buckets are left out
}

// Bucket counts the durations up to its bound that are above the bound below it. Every server
// has the same bounds. In JSON, it is an array of both numbers.
type Bucket struct {
	Bound int64 // nanoseconds
	Count int64
}

// MarshalJSON implements json.Marshaler.
func (b Bucket) MarshalJSON() ([]byte, error) { // written by hand: a server's stats have thousands
	text := append(make([]byte, 0, 43), '[')
	text = append(strconv.AppendInt(text, b.Bound, 10), ',')
	return append(strconv.AppendInt(text, b.Count, 10), ']'), nil
}

var errBucket = errors.New("a bucket is an array of its bound and its count")

// UnmarshalJSON implements json.Unmarshaler.
func (b *Bucket) UnmarshalJSON(data []byte) error {
	var pair []int64
	if err := json.Unmarshal(data, &pair); err != nil {
		return err
	}
	if len(pair) != 2 {
		return errBucket
	}
	b.Bound, b.Count = pair[0], pair[1]
	return nil
}

// Mean returns the mean duration, or 0 if h is empty.
func (h *Histogram) Mean() time.Duration {
	if h.Count <= 0 {
		return 0
	}
	return time.Duration(h.Sum / h.Count)
}

// Quantile returns a duration that the share q of all durations does not exceed: 0.99 for the
// 99th percentile. It is the bound of a bucket, at most the longest duration, and at most 13 %
// too long. It is 0 if h is empty.
func (h *Histogram) Quantile(q float64) time.Duration {
	var total, seen int64
	for _, b := range h.Buckets {
		total += b.Count
	}
	for _, b := range h.Buckets {
		if seen += b.Count; seen > 0 && float64(seen) >= q*float64(total) {
			if h.Max > 0 {
				return time.Duration(min(b.Bound, h.Max))
			}
			return time.Duration(b.Bound)
		}
	}
	return 0
}

// Merge returns the durations of both.
func (h Histogram) Merge(o Histogram) Histogram {
	return Histogram{Count: h.Count + o.Count, Sum: h.Sum + o.Sum, Max: max(h.Max, o.Max), Buckets: combine(h.Buckets, o.Buckets, 1)}
}

// Since returns the durations that came after an earlier histogram of the same server. Its Max
// is 0, which means unknown. If the server was restarted in between, the result is h.
func (h Histogram) Since(earlier Histogram) Histogram {
	if earlier.Count > h.Count {
		return h
	}
	return Histogram{Count: h.Count - earlier.Count, Sum: h.Sum - earlier.Sum, Buckets: combine(h.Buckets, earlier.Buckets, -1)}
}

// combine adds the buckets of b, times sign, to those of a.
func combine(a, b []Bucket, sign int64) []Bucket {
	all := slices.Clone(a)
	for _, x := range b {
		all = append(all, Bucket{x.Bound, sign * x.Count})
	}
	slices.SortStableFunc(all, func(x, y Bucket) int { return cmp.Compare(x.Bound, y.Bound) })
	sum := all[:0]
	for _, x := range all {
		if n := len(sum); n > 0 && sum[n-1].Bound == x.Bound {
			sum[n-1].Count += x.Count
		} else {
			sum = append(sum, x)
		}
	}
	return slices.DeleteFunc(sum, func(x Bucket) bool { return x.Count <= 0 })
}
