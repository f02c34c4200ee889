package flow

// In is the receiving half of a direction. The zero value expects frame 0 and grants
// nothing: see [NewIn].
type In struct {
	items queue[[]byte] // that nobody has taken yet
	final []byte        // the end's payload

	expected uint64
	received int64 // what all items so far cost
	consumed int64 // what those cost that were taken
	granted  int64 // the limit that the peer was told
	window   int64 // what may be received and not consumed
	told     int64 // what received was when the peer was told last

	echo    uint64 // the newest probe
	missed  bool   // a later frame came than the expected one
	pending bool   // the peer is to be told something, some time
	due     bool   // the peer is to be told now
	ended   bool
}

// NewIn makes the receiving half. It expects the frame first, and has granted window to the
// peer already.
func NewIn(first uint64, window int64) In {
	return In{expected: first, window: window, granted: window}
}

// Verdict says what became of a frame.
type Verdict int

// The verdicts.
const (
	Taken     Verdict = iota
	Duplicate         // it came before, or cannot be: the accept, and it alone, has the number 0
	Gap               // an earlier one is missing
)

// Frame takes a frame. It keeps the payload. The error is [ErrBeyondWindow].
func (i *In) Frame(f Frame) (Verdict, error) {
	switch {
	case f.Number < i.expected || i.ended || (f.Kind == Accept) != (f.Number == 0):
		i.pending = true // the peer may not know
		return Duplicate, nil
	case f.Number > i.expected:
		i.due = i.due || !i.missed
		i.missed = true
		return Gap, nil
	}
	i.expected++
	i.pending, i.missed = true, false
	switch f.Kind {
	case Item:
		if i.received >= i.granted {
			return Taken, ErrBeyondWindow
		}
		i.received += Cost(len(f.Payload))
		i.items.add(f.Payload)
		i.due = i.due || i.received-i.told >= i.window/2
	case End:
		i.ended, i.final = true, f.Payload
	}
	return Taken, nil
}

// Probed takes a probe.
func (i *In) Probed(number uint64) {
	i.echo = max(i.echo, number)
	i.due = true
}

// Take takes the next item, if there is one.
func (i *In) Take() (payload []byte, ok bool) {
	if i.items.len() == 0 {
		return nil, false
	}
	payload = i.items.take()
	i.consumed += Cost(len(payload))
	i.due = i.due || i.consumed+i.window-i.granted >= max(i.window/2, 1)
	return payload, true
}

// End returns the end's payload, once all items were taken.
func (i *In) End() (payload []byte, ok bool) {
	return i.final, i.ended && i.items.len() == 0
}

// Ended reports whether the end has come.
func (i *In) Ended() bool { return i.ended }

// Resize sets the window for what is granted from now on. What was granted stays.
func (i *In) Resize(window int64) { i.window = window }

// Tell has the state sent now.
func (i *In) Tell() { i.due = true }

// Due reports whether the state is to be sent now, and Pending whether it is to be sent
// some time.
func (i *In) Due() bool     { return i.due }
func (i *In) Pending() bool { return i.pending || i.due }

// State returns what the peer is told.
func (i *In) State() (expected uint64, limit int64, echo uint64, missing bool) {
	i.due, i.pending, i.told = false, false, i.received
	i.granted = max(i.granted, i.consumed+i.window)
	return i.expected, i.granted, i.echo, i.missed
}

// Drop forgets all items. Nothing may be taken after it.
func (i *In) Drop() { i.items = queue[[]byte]{} }

// Granted is the limit that the peer was told.
func (i *In) Granted() int64 { return i.granted }

// Held is what the items cost that nobody has taken.
func (i *In) Held() int64 { return i.received - i.consumed }
