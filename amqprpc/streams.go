package amqprpc

import (
	"bytes"
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/flow"
	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/messaging"
	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/protocol"
)

const (
	// streamWindowLeast is the least that a stream is granted. A call waits behind what all
	// streams have in flight, so that even a hundred of these are little.
	streamWindowLeast = 32 << 10
	// streamAckDelay is how long acknowledgements of ends, and of requests for streams, are
	// gathered. The next call or stream must not wait behind each.
	streamAckDelay = 5 * time.Millisecond
	// streamResets is how many resets a second answer messages of streams that are not
	// known.
	streamResets = 100
)

// streams are all streams of a client or a server that are open, and what they share.
type streams struct {
	memory int64        // what all windows together are to take
	most   int64        // a window
	long   atomic.Int64 // a message with several items
	stall  time.Duration
	items  packing // what all streams begin with
	writer messaging.StreamWriter
	log    *slog.Logger
	// mayWrite reports whether messages may be sent to a queue that a peer has named.
	mayWrite func(queue string) bool
	// address is where this side receives, while there is a connection.
	address func() string
	refused func() // called for a message that makes no sense
	born    time.Time

	mu       sync.Mutex
	byToken  map[protocol.Token]*stream
	byRemote map[protocol.Token]*stream // those that are bound
	peers    map[string]*peer
	open     atomic.Int64
	acks     []func() // that are gathered
	acking   *time.Timer
	used     bool // there was a stream
	minding  bool // a goroutine minds the peers
	closed   bool
	quit     chan struct{} // closed when nobody is to mind them any more
	tasks    sync.WaitGroup

	up      atomic.Int64 // since when there is a connection that takes messages, in nanoseconds of life; 0 is not
	resets  int          // in this second
	second  int64
	dropped atomic.Int64 // messages that were of no open stream
}

func (h *streams) init(cfg *connConfig, log *slog.Logger, mayWrite func(string) bool) {
	h.memory, h.most, h.stall = int64(cfg.streamMemory), int64(cfg.streamWindow), cfg.stallLimit
	if h.memory == 0 {
		h.memory = max(defaultStreamMemory, h.most)
	}
	h.long.Store(streamMessageLong)
	h.items = packing{least: cfg.minCompressSize, limit: cfg.maxMessageSize}
	h.log, h.mayWrite, h.born = log, mayWrite, time.Now()
	h.byToken, h.byRemote = make(map[protocol.Token]*stream), make(map[protocol.Token]*stream)
	h.peers, h.quit = make(map[string]*peer), make(chan struct{})
	h.writer.Log = log
	h.writer.Returned = h.returned
	h.writer.Lost = h.lost
	h.writer.TooLarge = func(limit int) { h.tooLarge(limit) }
	h.writer.Refused = func(err error) {
		h.endAll(Errorf(CodePermissionDenied, "the broker refuses the messages of streams: %w", err))
	}
	h.writer.Init()
	h.acking = time.AfterFunc(time.Hour, h.acknowledge)
	h.acking.Stop()
}

// acknowledgeSoon has ack called soon.
func (h *streams) acknowledgeSoon(ack func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.acks = append(h.acks, ack); len(h.acks) == 1 {
		h.acking.Reset(streamAckDelay)
	}
}

// acknowledge sends all acknowledgements that are gathered.
func (h *streams) acknowledge() {
	h.mu.Lock()
	acks := h.acks
	h.acks = nil
	h.mu.Unlock()
	for _, ack := range acks {
		ack()
	}
}

// age is how long the streams have lived, in nanoseconds on the monotonic clock; at least 1.
func (h *streams) age() int64 { return max(int64(time.Since(h.born)), 1) }

// window is what a stream is granted now. A part of its memory is for the lists of messages
// and for what allocations are rounded up by, which is not counted.
func (h *streams) window() int64 {
	w := min(max(h.memory/max(h.open.Load(), 1), streamWindowLeast), h.most)
	return w - w/16
}

// add makes a stream whose peer is not known yet. first is the number of the first frame
// that this side sends, and expected that of the first one that comes.
func (h *streams) add(first, expected uint64, ended func(error)) *stream {
	h.open.Add(1)
	s := &stream{streams: h, ended: ended, local: protocol.NewToken(), packing: h.items}
	s.changed.L = &s.mu
	s.heard.Store(h.age())
	s.out, s.in = flow.NewOut(first, h.most), flow.NewIn(expected, h.window())
	h.mu.Lock()
	defer h.mu.Unlock()
	h.byToken[s.local] = s
	h.used = true
	return s
}

// bind makes the process that receives at address the other side of a stream. It reports
// false if the stream has one, or is over.
func (h *streams) bind(s *stream, remote protocol.Token, address string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	p := h.peers[address]
	if p == nil {
		p = &peer{address: address, streams: make(map[*stream]bool)}
		p.beaten = h.age()
		p.heard.Store(p.beaten)
		p.said.Store(p.beaten)
	}
	if !s.bind(remote, p) {
		return false
	}
	h.peers[address] = p
	p.streams[s] = true
	h.byRemote[remote] = s
	if !h.minding && !h.closed {
		h.minding = true
		h.tasks.Go(h.mind)
	}
	return true
}

// remove forgets a stream that is over.
func (h *streams) remove(s *stream) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.byToken[s.local] != s {
		return
	}
	h.open.Add(-1)
	delete(h.byToken, s.local)
	remote, p := s.other()
	if p == nil {
		return
	}
	if h.byRemote[remote] == s {
		delete(h.byRemote, remote)
	}
	if delete(p.streams, s); len(p.streams) == 0 {
		delete(h.peers, p.address)
	}
}

// opened returns the stream that a peer has opened with its token, if it is open.
func (h *streams) opened(remote protocol.Token) *stream {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.byRemote[remote]
}

// all returns the streams that are open.
func (h *streams) all() []*stream {
	h.mu.Lock()
	defer h.mu.Unlock()
	all := make([]*stream, 0, len(h.byToken))
	for _, s := range h.byToken {
		all = append(all, s)
	}
	return all
}

// connected is called when there is a connection. What was written on the last one may be
// lost.
func (h *streams) connected() {
	h.up.Store(h.age())
	h.lost()
}

// disconnected is called when the connection is lost.
func (h *streams) disconnected() { h.up.Store(0) }

// block is called when the broker takes no messages for now, and when it takes them again.
// Nobody is taken for dead meanwhile.
func (h *streams) block(active bool) {
	if active {
		h.up.Store(0)
	} else {
		h.up.Store(h.age())
	}
}

// stop ends what runs for the streams. No stream is added any more.
func (h *streams) stop() {
	h.mu.Lock()
	h.closed = true
	close(h.quit)
	h.mu.Unlock()
	h.tasks.Wait()
}

func (h *streams) lost() {
	for _, s := range h.all() {
		s.lost()
	}
}

// endAll ends all streams.
func (h *streams) endAll(err error) {
	for _, s := range h.all() {
		s.finish(err, true)
	}
}

// flush waits until everything is written: also the last state of a stream that has ended,
// for which its peer would wait.
func (h *streams) flush(ctx context.Context) {
	h.mu.Lock()
	used := h.used
	h.mu.Unlock()
	if used {
		h.acknowledge()
		h.writer.Flush(ctx)
	}
}

// unreachable ends all streams that are bound: this side's queue is gone.
func (h *streams) unreachable(err error) {
	for _, s := range h.all() {
		if _, p := s.other(); p != nil {
			s.finish(err, true)
		}
	}
}

// returned ends the streams of a peer whose queue is gone.
func (h *streams) returned(queue string) {
	h.mu.Lock()
	p := h.peers[queue]
	h.mu.Unlock()
	if p == nil {
		return
	}
	for _, s := range h.of(p) {
		s.finish(errPeerGone("its queue is gone"), false)
	}
}

// tooLarge is called when the broker has refused a message for its size. The streams with an item
// of that size end. Further messages of several items are shorter.
func (h *streams) tooLarge(limit int) {
	lowerTo(&h.long, limit-streamMessageOverhead)
	for _, s := range h.all() {
		if s.holdsLarger(limit) {
			s.finish(Errorf(CodeResourceExhausted, "a message of the stream is larger than the broker's limit of %d bytes", limit), true)
		}
	}
}

// receive takes a message of streams, on the goroutine that reads the connection.
func (h *streams) receive(m *messaging.Message) {
	to, from, frames, err := protocol.ParseStreamPreface(m.Body)
	if err != nil || m.Malformed {
		h.refused()
		return
	}
	streams, err := protocol.CheckStreamFrames(frames)
	if err != nil {
		h.refused()
		return
	}
	if streams == 1 {
		h.hear(m, to, from, frames)
		return
	}
	for range streams {
		part, nextTo, nextFrom := protocol.CutStream(&frames)
		// A copy: what waits for one reader must not keep what others have read.
		h.hear(m, to, from, bytes.Clone(part))
		to, from = nextTo, nextFrom
	}
}

// hear takes the frames of one stream.
func (h *streams) hear(m *messaging.Message, to, from protocol.Token, frames []byte) {
	h.mu.Lock()
	s := h.byToken[to]
	h.mu.Unlock()
	known := false
	for len(frames) > 0 {
		f, _ := protocol.NextStreamFrame(&frames) // they were checked
		switch {
		case s != nil && (s.isFrom(from) || h.greet(s, from, m, f)):
			s.frame(f)
			known = true
		case isAnswered(f.Type):
			h.stray(to, from, m)
			frames = nil
		}
	}
	if known {
		s.acknowledge()
	}
}

// greet binds a stream whose peer is not known yet to the first one that is heard. That is
// an accept, unless the accept was lost.
func (h *streams) greet(s *stream, from protocol.Token, m *messaging.Message, f protocol.StreamFrame) bool {
	address := string(m.Properties.ReplyTo)
	return from != 0 && isAnswered(f.Type) && h.mayWrite(address) && h.bind(s, from, address)
}

// isAnswered reports whether a frame is answered with a reset if its stream is not known.
// Two sides that know of no stream must not answer each other for ever.
func isAnswered(t protocol.StreamFrameType) bool {
	switch t {
	case protocol.FrameAccept, protocol.FrameItem, protocol.FrameEnd, protocol.FrameProbe:
		return true
	default:
		return false
	}
}

// stray answers a message of a stream that is not open here, or not with that peer.
func (h *streams) stray(to, from protocol.Token, m *messaging.Message) {
	h.dropped.Add(1)
	address := string(m.Properties.ReplyTo)
	if !h.mayWrite(address) {
		return
	}
	h.mu.Lock()
	if second := h.age() / int64(time.Second); second != h.second {
		h.second, h.resets = second, 0
	}
	h.resets++
	answers := h.resets <= streamResets
	h.mu.Unlock()
	if answers {
		h.reset(address, from, to, nil)
	}
}

// reset tells a peer that its stream is over here.
func (h *streams) reset(address string, to, from protocol.Token, why error) {
	h.note(address, to, from, protocol.StreamFrame{Type: protocol.FrameReset, Payload: encodeEnding(why, nil)})
}

// note sends a frame once.
func (h *streams) note(address string, to, from protocol.Token, f protocol.StreamFrame) {
	h.writer.Queue(&streamNote{streams: h, address: address, to: to, from: from, frame: f})
}

// join has p take frames of a stream. The first has a payload of size bytes. If p is empty, it
// becomes a message. Otherwise the frames go behind those of other streams to the same peer. It
// reports false if p is to be published first.
func (h *streams) join(p *messaging.Publishing, address string, to, from protocol.Token, size int) bool {
	switch {
	case p.Key == "":
		p.Key = address
		p.Properties = protocol.AppendStreamProperties(p.Properties, h.address())
	case p.Key != address, !h.hasRoom(p, size):
		return false
	}
	p.Body = protocol.AppendStream(p.Body, to, from)
	return true
}

// hasRoom reports whether a message has room for a further payload of size bytes.
func (h *streams) hasRoom(p *messaging.Publishing, size int) bool {
	return int64(len(p.Body)+size) <= h.long.Load()
}

// streamNote is a frame that is sent once. It implements messaging.StreamItem.
type streamNote struct {
	streams  *streams
	address  string
	to, from protocol.Token
	frame    protocol.StreamFrame
}

// Prepare implements messaging.StreamItem.
func (n *streamNote) Prepare(p *messaging.Publishing) bool {
	if !n.streams.join(p, n.address, n.to, n.from, len(n.frame.Payload)) {
		return true
	}
	p.Body = protocol.AppendStreamFrame(p.Body, n.frame)
	return false
}

// Written implements messaging.StreamItem.
func (n *streamNote) Written() {}
