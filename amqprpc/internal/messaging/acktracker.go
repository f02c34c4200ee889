package messaging

import "slices"

// ackTracker gathers delivery tags to acknowledge. The run without a gap from the
// lowest outstanding tag on goes out as one acknowledgement of multiple. Tags beyond
// a gap go one by one, since to wait until a slow handler closes the gap would fill
// the prefetch window.
type ackTracker struct {
	next  uint64   // all from here on are outstanding
	gap   []uint64 // and these before it, in their order
	batch []uint64
}

func (a *ackTracker) add(tag uint64) { a.batch = append(a.batch, tag) }

// settled notes a tag that needs no acknowledgement any more.
func (a *ackTracker) settled(tag uint64) {
	if tag < a.next {
		if i, ok := slices.BinarySearch(a.gap, tag); ok {
			a.gap = slices.Delete(a.gap, i, i+1)
		}
		return
	}
	for ; a.next < tag; a.next++ {
		a.gap = append(a.gap, a.next)
	}
	a.next++
}

// lowest is the lowest tag that is outstanding.
func (a *ackTracker) lowest() uint64 {
	if len(a.gap) > 0 {
		return a.gap[0]
	}
	return a.next
}

// flush calls ack for what was added.
func (a *ackTracker) flush(ack func(tag uint64, multiple bool)) {
	if len(a.batch) == 0 {
		return
	}
	slices.Sort(a.batch)
	run, length := uint64(0), 0
	for _, tag := range a.batch {
		if tag == a.lowest() {
			a.settled(tag)
			run = tag
			length++
			continue
		}
		if length > 0 {
			ack(run, length > 1)
			length = 0
		}
		ack(tag, false)
		a.settled(tag)
	}
	if length > 0 {
		ack(run, length > 1)
	}
	a.batch = a.batch[:0]
}
