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
	probed   uint64 // what high was when the newest probe was first written
	probeDue bool   // a probe is to be written
	asking   bool   // the newest probe was written, and is not answered
	holding  bool   // no frame is written before the answer
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

// NextSize is the size of the payload of the frame that Next returns, 0 if there is none.
func (o *Out) NextSize() int {
	if !o.Ready() {
		return 0
	}
	return len(o.frames.at(int(o.write - o.base)).Payload)
}

// Ready reports whether there is a frame to write.
func (o *Out) Ready() bool { return !o.holding && o.write < o.next }

// Unacknowledged reports whether a frame was written that the peer has not acknowledged.
func (o *Out) Unacknowledged() bool { return o.base < o.high }

// blocked reports whether only the peer's limit keeps items from being added.
func (o *Out) blocked() bool { return !o.ended && o.used >= o.limit }

// AskForRoom has a probe sent if only this side's window keeps items from being added. The
// peer's window is larger then, so that it may acknowledge late. AskForRoom reports whether
// the probe is new.
func (o *Out) AskForRoom() bool {
	if o.ended || o.used >= o.limit || o.used-o.acked < o.window || o.asking || o.probeDue {
		return false
	}
	o.probeDue = true
	return true
}

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

// Lost says that what was written may be lost, and what the peer has written, too. Out asks
// the peer what it has, and writes no frame before the answer.
func (o *Out) Lost() {
	o.asking = false // the probe may be lost, too
	o.holding = o.Unacknowledged()
	o.Ask()
}

// Ask has a probe sent if the peer owes something: an acknowledgement, or a higher limit,
// which it may have sent in vain. Ask reports whether it does. A probe that is not answered
// is sent again as it was, so that an answer which takes long counts.
func (o *Out) Ask() bool {
	if !o.Unacknowledged() && !o.blocked() || o.Fresh() {
		return false
	}
	o.probeDue = true
	return true
}

// Check has a probe sent though the peer may owe nothing.
func (o *Out) Check() { o.probeDue = o.probeDue || !o.Fresh() }

// ProbeDue reports whether a probe is to be sent. It is sent behind all frames that were
// written before, also behind those that are written again.
func (o *Out) ProbeDue() bool { return o.probeDue && (o.holding || o.write == o.high) }

// Probe returns the probe that is due: its number, and that of the next frame that was
// never written when the probe was new.
func (o *Out) Probe() (number, sent uint64) {
	o.probeDue = false
	if !o.asking {
		o.asking = true
		o.probe++
		o.probed = o.high
	}
	return o.probe, o.probed
}

// State takes what the peer says of itself: the frame that it expects, how much it grants,
// and the newest probe that it has seen. missing says that it has seen a later frame than
// the one that it expects. State returns false if the peer expects what was never sent.
func (o *Out) State(expected uint64, limit int64, echo uint64, missing bool) bool {
	if expected > o.high {
		return false
	}
	o.Grant(limit)
	if expected < o.base {
		return true // another state has overtaken this one
	}
	o.acknowledge(expected)
	switch {
	case o.asking && echo == o.probe:
		o.asking, o.holding, o.probeDue = false, false, false
		if expected < o.probed || missing {
			o.again()
		}
	case missing && !o.asking && !o.probeDue:
		o.again()
	}
	if !o.Unacknowledged() {
		o.holding = false
		if !o.blocked() {
			o.asking, o.probeDue = false, false
		}
	}
	return true
}

// again writes everything again that is not acknowledged, and a probe behind it, because it
// may be lost again.
func (o *Out) again() {
	o.write = o.base
	o.Ask()
}

// Drop forgets all frames. Nothing may be added, written or acknowledged after it.
func (o *Out) Drop() { o.frames, o.write = queue[Frame]{}, o.next }

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
