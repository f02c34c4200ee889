package promrpc

import (
	"fmt"
	"math"
	"math/bits"
	"slices"
	"time"
)

// The native buckets. An octave has 2^schema of them, so that a bucket is a tenth wider than the
// one before. Bucket k ends at 2^(k/2^schema) seconds.
const (
	schema        = 3
	zeroKey       = -20 << schema // this bucket and all below it are the zero bucket
	zeroThreshold = 1.0 / (1 << 20)
	lastKey       = 34 << schema // 2^34 seconds are longer than any time.Duration
)

// A scale divides all durations into cells. No bound of a bucket, classic or native, is inside
// of a cell, so that one counter for each cell serves both kinds of buckets.
type scale struct {
	bounds    []float64 // of the classic buckets, in seconds, without +Inf
	cells     []cell    // the last one is for the longest duration
	first     [64 << partBits]uint16
	exemplars int // how many exemplars a histogram keeps
}

// cell is where durations up to limit count that are longer than the limit of the cell before.
type cell struct {
	limit    time.Duration
	classic  int // the bucket; len(bounds) is +Inf
	native   int // the bucket; zeroKey is the zero bucket
	exemplar int // its place among the exemplars
}

// newScale panics if bounds do not increase.
func newScale(bounds []float64) *scale {
	if n := len(bounds); n > 0 && math.IsInf(bounds[n-1], 1) {
		bounds = bounds[:n-1]
	}
	s := &scale{bounds: slices.Clone(bounds), exemplars: len(bounds) + 1}
	var limits, native []time.Duration
	for i, bound := range bounds {
		if math.IsNaN(bound) || i > 0 && bounds[i-1] >= bound {
			panic(fmt.Sprintf("promrpc: WithBuckets: the bounds do not increase at %v", bound))
		}
		limits = append(limits, longest(bound))
	}
	for key := zeroKey; key <= lastKey; key++ {
		native = append(native, longest(math.Exp2(float64(key)/(1<<schema))))
	}
	limits = append(limits, native...)
	slices.Sort(limits)
	for _, limit := range slices.Compact(limits) {
		c := cell{limit: limit}
		c.classic, _ = slices.BinarySearch(bounds, limit.Seconds())
		c.native, _ = slices.BinarySearch(native, limit)
		if c.exemplar = c.classic; len(bounds) == 0 { // one for each octave
			c.exemplar = c.native >> schema
			s.exemplars = c.exemplar + 1
		}
		c.native += zeroKey
		s.cells = append(s.cells, c)
	}
	for part, i := 0, 0; part < len(s.first); part++ {
		for s.cells[i].limit < startOf(part) {
			i++
		}
		s.first[part] = uint16(i)
	}
	return s
}

// longest returns the longest duration that is not longer than so many seconds.
func longest(seconds float64) time.Duration {
	if seconds*1e9 >= math.MaxInt64 {
		return math.MaxInt64
	}
	d := time.Duration(max(seconds*1e9, -1)) // there are no durations below 0
	for d.Seconds() > seconds && d >= 0 {
		d--
	}
	for (d + 1).Seconds() <= seconds {
		d++
	}
	return d
}

// partBits says into how many parts of the same width partOf divides an octave: 2^partBits.
const partBits = 3

// partOf returns the part of an octave that a duration is in.
func partOf(d time.Duration) int {
	octave := bits.Len64(uint64(d))
	return octave<<partBits | int(uint64(d)<<(64-octave)>>(63-partBits))&(1<<partBits-1)
}

// startOf returns a duration that is not longer than any in a part.
func startOf(part int) time.Duration {
	octave, mantissa := part>>partBits, 1<<partBits|part&(1<<partBits-1)
	return time.Duration(mantissa) << octave >> (partBits + 1)
}

// find returns the index of the cell for a duration, which is not negative.
func (s *scale) find(d time.Duration) int {
	i := int(s.first[partOf(d)])
	for s.cells[i].limit < d {
		i++
	}
	return i
}
