package amqprpc

import (
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/flow"
	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/protocol"
)

// streamStateDelay is how long a receiver gathers before it acknowledges.
const streamStateDelay = 100 * time.Millisecond

// stream is one side of a stream, without the types of its messages. It implements
// messaging.StreamItem. Whoever uses the stream waits in it; the goroutine that reads the
// connection and the one that writes never do.
type stream struct {
	streams *streams
	local   protocol.Token
	packing packing

	// What happens to the stream. None of these may wait. opened is called when a server
	// has accepted; it is nil on servers. half is called when the peer's end has come,
	// written after something was handed to the connection, and ended once, when the
	// stream is over, with why: nil for a clean end.
	opened, half, written func()
	ended                 func(error)

	mu      sync.Mutex
	changed sync.Cond // something that somebody waits for
	remote  protocol.Token
	peer    *peer
	out     flow.Out
	in      flow.In
	dirty   bool  // the writer knows that there is something to send
	ending  bool  // somebody ends the stream
	over    bool  // nothing more is sent or received
	err     error // why it is over; nil is a clean end
	timer   *time.Timer
	armed   bool      // the timer runs
	stalled time.Time // since when there is no credit for somebody who waits; zero is not

	sent, received atomic.Int64 // messages of the user's: the reply of a client stream is not one
	heard          atomic.Int64 // when the last frame came, or was asked for, in nanoseconds of the streams' life
}

var errStreamOver = errors.New("the stream is over")

// send adds an item, and waits until there is room for it.
func (s *stream) send(payload []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for !s.over && !s.out.Ended() && !s.out.Room() {
		if s.out.AskForRoom() {
			s.mark()
		}
		if s.stalled.IsZero() {
			s.stalled = time.Now()
		}
		s.changed.Wait()
	}
	s.stalled = time.Time{}
	switch {
	case s.over && s.err != nil:
		return s.err
	case s.over, s.out.Ended():
		return errStreamOver
	}
	s.out.Add(flow.Item, payload)
	s.sent.Add(1)
	s.mark()
	return nil
}

// closeSend adds the end of this side.
func (s *stream) closeSend(payload []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.over && !s.out.Ended() {
		s.out.Add(flow.End, payload)
		s.changed.Broadcast()
		s.mark()
	}
}

// recv waits for the next item. At the peer's end it returns io.EOF and the end's payload;
// once the stream is over, why.
func (s *stream) recv() ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		if s.over && s.err != nil {
			return nil, s.err
		}
		if item, ok := s.in.Take(); ok {
			if s.in.Due() {
				s.mark()
			}
			return item, nil
		}
		if final, ok := s.in.End(); ok {
			return final, io.EOF
		}
		if s.over {
			return nil, errStreamOver
		}
		s.changed.Wait()
	}
}

// settled waits until the peer has acknowledged everything, or the stream is over.
func (s *stream) settled() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for !s.over && !s.out.Settled() {
		s.changed.Wait()
	}
}

// mark has the writer look at the stream. The lock is held.
func (s *stream) mark() {
	if !s.dirty && s.peer != nil {
		s.dirty = true
		s.streams.writer.Queue(s)
	}
}

// bind makes a peer the other side, unless there is one or the stream is over.
func (s *stream) bind(remote protocol.Token, p *peer) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over || s.peer != nil {
		return false
	}
	s.remote, s.peer = remote, p
	if s.out.Ready() {
		s.mark()
	}
	return true
}

// other is the other side, nil if it is not known.
func (s *stream) other() (protocol.Token, *peer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.remote, s.peer
}

// why is why the stream is over.
func (s *stream) why() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// isOver reports whether the stream is over, or is just ending.
func (s *stream) isOver() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ending
}

// granted is what the peer may send at first.
func (s *stream) granted() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.in.Granted()
}

// holdsLarger reports whether an item waits for the peer whose message is longer than limit.
func (s *stream) holdsLarger(limit int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.out.Largest() > limit-streamMessageOverhead
}

// isFrom reports whether the stream's peer is the one with that token.
func (s *stream) isFrom(remote protocol.Token) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.peer != nil && s.remote == remote
}

// accept takes the peer's word that it has begun.
func (s *stream) accept(f protocol.StreamFrame) {
	if s.opened == nil {
		s.streams.refused() // nobody asked for it
		return
	}
	s.mu.Lock()
	verdict, _ := s.in.Frame(flow.Frame{Number: f.Number, Kind: flow.Accept})
	var disagreed error
	if verdict == flow.Taken {
		disagreed = s.packing.agree(string(f.Payload))
		s.out.Grant(int64(f.Argument))
		s.changed.Broadcast()
	}
	s.mu.Unlock()
	if verdict == flow.Taken {
		s.opened()
	}
	if disagreed != nil {
		s.finish(disagreed, true)
	}
}

// frame takes a frame of the peer's, on the goroutine that reads the connection.
func (s *stream) frame(f protocol.StreamFrame) {
	now := s.streams.age()
	s.peer.heard.Store(now)
	s.heard.Store(now)
	switch f.Type {
	case protocol.FrameAccept:
		s.accept(f)
	case protocol.FrameItem:
		s.numbered(flow.Item, f)
	case protocol.FrameEnd:
		s.numbered(flow.End, f)
	case protocol.FrameState, protocol.FrameMissing:
		if !s.state(f) {
			s.streams.refused()
		}
	case protocol.FrameProbe:
		s.probed(f.Number)
	case protocol.FrameReset:
		if !s.complete() {
			s.finish(resetBy(f.Payload), false)
		}
	}
}

// complete reports whether this is a client that has its server's end. The server has forgotten
// the stream then, and resets what still comes from here.
func (s *stream) complete() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.opened != nil && s.in.Ended()
}

// finish ends the stream on this side, with a reset to the peer if it is to be told.
func (s *stream) finish(err error, tell bool) {
	s.mu.Lock()
	if s.ending {
		s.mu.Unlock()
		return
	}
	s.ending, s.err = true, err
	s.mu.Unlock()
	s.ended(err) // first: whoever is woken below may look at the handler's ctx
	s.mu.Lock()
	s.over = true
	if err != nil { // nobody gets them, though somebody may keep the stream
		s.in.Drop()
		s.out.Drop()
	}
	if s.timer != nil {
		s.timer.Stop()
	}
	remote, p := s.remote, s.peer
	s.changed.Broadcast()
	s.mu.Unlock()
	if tell && p != nil { // before a stray message of the peer's is answered without the reason
		s.streams.reset(p.address, remote, s.local, err)
	}
	s.streams.remove(s)
}

// numbered takes a numbered frame of the peer's.
func (s *stream) numbered(k flow.Kind, f protocol.StreamFrame) {
	s.mu.Lock()
	if s.over {
		s.mu.Unlock()
		return
	}
	verdict, err := s.in.Frame(flow.Frame{Number: f.Number, Kind: k, Payload: f.Payload})
	if verdict == flow.Taken {
		s.changed.Broadcast()
	}
	ended := verdict == flow.Taken && k == flow.End
	s.mu.Unlock()
	switch {
	case err != nil:
		s.finish(Errorf(CodeResourceExhausted, "%w", err), true)
	case ended:
		s.streams.acknowledgeSoon(s.acknowledgeEnd)
		if s.half != nil {
			s.half()
		}
	}
}

// acknowledge has the state sent, now or soon. It is called after all frames of a message, and
// leaves an end to acknowledgeEnd.
func (s *stream) acknowledge() {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.over:
	case s.in.Due():
		s.mark()
	case s.in.Pending() && !s.in.Ended() && !s.armed:
		s.armed = true
		if s.timer == nil {
			s.timer = time.AfterFunc(streamStateDelay, s.late)
		} else {
			s.timer.Reset(streamStateDelay)
		}
	}
}

// late sends a state that no item has carried along.
func (s *stream) late() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.armed = false
	if !s.over {
		s.tell()
	}
}

// acknowledgeEnd tells the peer that its end has come, also when the stream is over here.
func (s *stream) acknowledgeEnd() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tell()
}

// tell sends the state, unless an item has carried it along. The lock is held.
func (s *stream) tell() {
	if s.in.Pending() {
		s.in.Tell()
		s.mark()
	}
}

// state takes the peer's acknowledgement. It reports false for one that cannot be.
func (s *stream) state(f protocol.StreamFrame) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return true
	}
	ok := s.out.State(f.Number, int64(f.Argument), protocol.ParseEcho(f.Payload), f.Type == protocol.FrameMissing)
	s.changed.Broadcast()
	if s.out.Ready() || s.out.ProbeDue() {
		s.mark()
	}
	return ok
}

// probed takes the peer's question for the state.
func (s *stream) probed(number uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.in.Probed(number)
	s.mark()
}

// lost says that what was written may not have arrived.
func (s *stream) lost() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.peer == nil || s.over || s.out.Fresh() {
		return // an accept comes before all else
	}
	s.out.Lost()
	s.in.Tell()
	s.mark()
}

// beat asks the peer for its state if the peer owes something, and reports whether it
// has.
func (s *stream) beat() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over || !s.out.Ask() {
		return false
	}
	s.mark()
	return true
}

// unacknowledged reports whether the peer owes an acknowledgement.
func (s *stream) unacknowledged() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.out.Unacknowledged()
}

// check asks the peer for its state, though it owes none.
func (s *stream) check() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.over {
		s.out.Check()
		s.mark()
	}
}

// stalledFor is how long somebody has waited for credit.
func (s *stream) stalledFor() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over || s.stalled.IsZero() {
		return 0
	}
	return time.Since(s.stalled)
}
