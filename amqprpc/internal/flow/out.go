package flow

// Out is the sending half of a direction. The zero value sends nothing: see [NewOut].
type Out struct {
	frames queue[Frame] // from base on
	base   uint64       // the oldest frame that is not acknowledged
	next   uint64       // the next frame to add
	write  uint64       // the next frame to write
	high   uint64       // all frames below were written at least once

	used   int64 // what all items so far cost
	acked  int64 // what the acknowledged ones cost
	limit  int64 // how much used may become, as the peer says
	window int64 // how much may be unacknowledged, whatever the peer says

	probe    uint64 // the number of the newest one
	probeDue bool
	asking   bool   // the peer has not answered the newest probe
	probed   uint64 // what high was when the newest probe was sent
	holding  bool   // nothing is written before the answer
	ended    bool
}

// Frame is a frame that Out sends.
type Frame struct {
	Number  uint64
	Kind    Kind
	Payload []byte
}

// Kind is the kind of a numbered frame.
type Kind uint8

// The kinds of numbered frames.
const (
	Accept Kind = iota + 1
	Item
	End
)

// NewOut makes the sending half. Its first frame has the number first.
func NewOut(first uint64, window int64) Out {
	return Out{base: first, next: first, write: first, high: first, window: window}
}

// Grant lets items be added until they cost limit. A limit below an earlier one means
// nothing.
func (o *Out) Grant(limit int64) { o.limit = max(o.limit, limit) }

// Room reports whether an item can be added. The last item may exceed the limit.
func (o *Out) Room() bool {
	return !o.ended && o.used < o.limit && o.used-o.acked < o.window
}

// Add adds a frame. Only an [Item] needs Room. Nothing can be added after an [End].
func (o *Out) Add(k Kind, payload []byte) {
	o.frames.add(Frame{o.next, k, payload})
	o.next++
	if k == Item {
		o.used += Cost(len(payload))
	}
	o.ended = o.ended || k == End
}

// Next returns the next frame to write, if there is one.
func (o *Out) Next() (Frame, bool) {
	if !o.Ready() {
		return Frame{}, false
	}
	f := o.frames.at(int(o.write - o.base))
	o.write++
	o.high = max(o.high, o.write)
	return f, true
}

// Ready reports whether there is a frame to write.
func (o *Out) Ready() bool { return !o.holding && o.write < o.next }

// Unacknowledged reports whether a frame was written that the peer has not acknowledged.
func (o *Out) Unacknowledged() bool { return o.base < o.high }

// Largest is the size of the largest payload that is not acknowledged.
func (o *Out) Largest() (size int) {
	for i := range o.frames.len() {
		size = max(size, len(o.frames.at(i).Payload))
	}
	return size
}

// Fresh reports whether the accept is still to be written.
func (o *Out) Fresh() bool { return o.high == 0 }

// Settled reports whether everything up to the end is acknowledged.
func (o *Out) Settled() bool { return o.ended && o.base == o.next }

// Ended reports whether the end was added.
func (o *Out) Ended() bool { return o.ended }

// Lost says that what was written may be lost. Out asks the peer what it has, and writes
// nothing before the answer.
func (o *Out) Lost() {
	o.Ask()
	o.holding = o.asking
}

// Ask has a probe sent, if anything is unacknowledged.
func (o *Out) Ask() {
	if o.Unacknowledged() {
		o.probe++
		o.probeDue, o.asking = true, true
	}
}

// ProbeDue reports whether a probe is to be sent. It is sent behind all frames.
func (o *Out) ProbeDue() bool { return o.probeDue && !o.Ready() }

// Probe returns the probe that is due: its number, and that of the next frame that was
// never written.
func (o *Out) Probe() (number, sent uint64) {
	o.probeDue, o.probed = false, o.high
	return o.probe, o.high
}

// State takes what the peer says of itself: the frame that it expects, how much it grants,
// and the newest probe that it has seen. missing says that it has seen a later frame than
// the one that it expects. State returns false if the peer expects what was never sent.
func (o *Out) State(expected uint64, limit int64, echo uint64, missing bool) bool {
	if expected > o.high {
		return false
	}
	o.Grant(limit)
	o.acknowledge(expected)
	switch {
	case expected < o.base: // another state has overtaken this one
	case o.asking && !o.probeDue && echo == o.probe:
		o.asking, o.holding = false, false
		if expected < o.probed {
			o.write = expected
		}
	case missing && !o.asking:
		o.write = expected
		o.Ask() // behind what is written again, which may be lost, too
	}
	return true
}

// acknowledge drops the frames before expected.
func (o *Out) acknowledge(expected uint64) {
	for o.base < expected {
		if f := o.frames.take(); f.Kind == Item {
			o.acked += Cost(len(f.Payload))
		}
		o.base++
	}
	o.write = max(o.write, o.base)
}
