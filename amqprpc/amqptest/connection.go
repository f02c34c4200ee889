package amqptest

import (
	"cmp"
	"crypto/tls"
	"errors"
	"log/slog"
	"maps"
	"net"
	"slices"
	"sync/atomic"
	"time"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/frame"
)

// phase is how far a connection has come.
type phase uint8

const (
	starting phase = iota // connection.start is out
	securing              // a challenge is out
	tuning                // connection.tune is out
	opening               // tune-ok is in
	running
	closed // a close or close-ok is out; only the last frames are exchanged
)

// connection is the connection of one client. Its reader runs the client's methods; its writer
// sends the frames in the outbox.
type connection struct {
	b      *Broker
	id     uint64
	link   *link
	frames *frame.Reader
	out    *outbox
	log    *slog.Logger

	written chan struct{} // closed when the writer has ended

	// The reader alone uses these.
	phase     atomic.Uint32 // a phase; changed under the broker's lock
	auth      mechanism
	mechanism string
	partial   map[uint16]*content // messages that have not arrived whole
	published bool                // it has published while publishers are blocked

	// The broker's lock guards these.
	user             string
	name             string       // that the client gave
	properties       frame.Table  // likewise
	opened           time.Time    // when the client connected
	secure           bool         // over TLS
	permissions      *permissions // the user's; nil for all
	vhost            *vhost
	channels         map[uint16]*channel
	exclusive        map[*queue]struct{}
	channelMax       uint16
	frameMax         uint32
	beat             *heartbeat
	knowsCancel      bool        // the client understands basic.cancel from the broker
	knowsBlocked     bool        // … and connection.blocked
	knowsAuthFailure bool        // … and connection.close when a login is refused
	toldBlocked      bool        // it was told that it is blocked
	stalled          atomic.Bool // its consumers wait for its socket
	dropped          bool
	reason           string      // of the close, if the broker had one
	linger           *time.Timer // ends a closed connection whose client does not
}

func newConnection(b *Broker, nc net.Conn, id uint64) *connection {
	c := &connection{
		b:         b,
		id:        id,
		link:      newLink(nc),
		written:   make(chan struct{}),
		out:       newOutbox(),
		log:       b.cfg.log.With("connection", id, "peer", nc.RemoteAddr().String()),
		channels:  make(map[uint16]*channel),
		exclusive: make(map[*queue]struct{}),
		partial:   make(map[uint16]*content),
		frameMax:  frame.MinSize,
		opened:    time.Now(),
	}
	_, c.secure = nc.(*tls.Conn)
	c.frames = frame.NewReader(c.link, frame.MinSize)
	return c
}

func (c *connection) is(p phase) bool { return phase(c.phase.Load()) == p }

func (c *connection) enter(p phase) { c.phase.Store(uint32(p)) }

// batch is how many frames of one connection are handled before the writers
// are woken, if more have arrived already.
const batch = 64

// read is the reader: it handles frames until the connection ends.
func (c *connection) read() {
	defer c.gone()
	if !c.greet() {
		return
	}
	for n := 1; ; n++ {
		f, err := c.frames.Next()
		if err != nil {
			c.unreadable(err)
			return
		}
		c.handle(f)
		if n >= batch || !c.frames.Ready() {
			n = 0
			c.b.mu.Lock()
			c.b.release()
		}
		c.throttle()
	}
}

// throttle stops the reader while the client does not read its answers, and while an alarm
// blocks publishers and the connection publishes. What the client sends meanwhile stays in the
// socket, and in the end in the client.
func (c *connection) throttle() {
	if c.out.size.Load() >= replyLimit {
		c.b.lock()
		c.beat.pause(pauseUnread)
		c.b.release()
		c.out.awaitRoom(replyLimit)
		c.b.lock()
		c.beat.resume(pauseUnread)
		c.b.release()
	}
	if !c.published {
		return
	}
	b := c.b
	b.mu.Lock()
	defer b.mu.Unlock()
	b.flush()
	c.beat.pause(pauseBlocked)
	for b.mustBlock() && c.is(running) && !c.dropped {
		b.unblock.Wait()
	}
	c.published = false
	c.beat.resume(pauseBlocked)
	b.flush()
}

// unreadable ends reading. If the client sent a bad frame, it is told so.
func (c *connection) unreadable(err error) {
	var size *frame.SizeError
	var end *frame.EndError
	var ex *exception
	switch {
	case errors.As(err, &size):
		ex = fail(frameError, "type %d, all octets = <<>>: {frame_too_large,%d,%d}",
			size.Type, size.Size, size.Max-frame.Overhead)
	case errors.As(err, &end):
		ex = fail(frameError, "type %d, %s: {invalid_frame_end_marker,%d}",
			end.Frame.Type, snippet(end.Frame.Payload), end.Got)
	default:
		c.log.Debug("connection lost", "error", err)
		return
	}
	c.b.lock()
	c.raise(0, ex)
	if c.linger != nil {
		c.linger.Reset(fatalTimeout)
	}
	c.b.release()
	c.drain()
}

// drain discards what the client sends until it hangs up. A reset would otherwise overtake the
// connection.close.
func (c *connection) drain() {
	p := make([]byte, 4096)
	for {
		if _, err := c.link.Read(p); err != nil {
			return
		}
	}
}

// handle runs one frame.
func (c *connection) handle(f frame.Frame) {
	switch {
	case f.Channel == 0:
		c.handleZero(f)
	case c.is(running):
		c.handleChannel(f)
	case c.is(closed):
		// The client has not seen the close yet.
	default:
		c.refuseFrame(f)
	}
}

// handleZero runs a frame of channel zero: the connection's own.
func (c *connection) handleZero(f frame.Frame) {
	if f.Type == frame.TypeMethod {
		if id, fields, ok := frame.MethodID(f.Payload); ok {
			c.method(id, fields)
			return
		}
	}
	switch {
	case c.is(closed):
	case f.Type == frame.TypeHeartbeat && len(f.Payload) == 0:
	case f.Type == frame.TypeHeader && len(f.Payload) >= 12, f.Type == frame.TypeBody:
		c.refuseFrame(f)
	default:
		c.unknownFrame(f)
	}
}

func (c *connection) refuseFrame(f frame.Frame) {
	c.b.lock()
	c.raise(f.Channel, fail(unexpectedFrame, "type %d, %s", f.Type, snippet(f.Payload)))
	c.b.release()
}

func (c *connection) unknownFrame(f frame.Frame) {
	c.b.lock()
	c.raise(f.Channel, fail(frameError, "type %d, %s: unknown_frame", f.Type, snippet(f.Payload)))
	c.b.release()
}

// method runs a method of class connection.
func (c *connection) method(id frame.ID, fields []byte) {
	c.b.lock()
	defer c.b.release()
	m, err := frame.ParseMethodStrings(id, fields, c.b.cfg.follow.validString)
	if err != nil {
		if !c.is(closed) {
			c.raise(0, malformed(err).in(id))
		}
		return
	}
	switch m := m.(type) {
	case *frame.ConnectionClose:
		if c.is(running) || c.is(closed) {
			c.closedByClient(m)
			return
		}
	case *frame.ConnectionCloseOk:
		if c.is(closed) {
			c.drop()
			return
		}
	}
	if c.is(closed) {
		return
	}
	if ex := c.negotiate(m); ex != nil {
		c.raise(0, ex.in(id))
	}
}

// malformed is the exception for a method that does not decode.
func malformed(err error) *exception {
	var fe *frame.FieldsError
	if errors.As(err, &fe) {
		return fail(frameError, "cannot decode %s", binaryBytes(fe.Fields)).in(fe.ID)
	}
	var se *frame.StringError
	if errors.As(err, &se) {
		return fail(frameError, "Malformed UTF-8 in shortstr")
	}
	// RabbitMQ's reader dies of a method that it does not know.
	return fail(commandInvalid, "%v", err).untold()
}

// closedByClient answers connection.close.
func (c *connection) closedByClient(m *frame.ConnectionClose) {
	if !c.is(closed) {
		c.log.Debug("closed by client", "code", m.ReplyCode, "text", m.ReplyText)
		c.shutdown()
	}
	c.send(0, &frame.ConnectionCloseOk{})
}

// raise closes the channel that caused an exception, or the connection.
func (c *connection) raise(channel uint16, ex *exception) {
	if c.is(closed) {
		return
	}
	ex.text = c.b.cfg.follow.printed(ex.text)
	c.log.Info("exception", "channel", channel, "code", ex.code, "text", ex.text)
	ch := c.channels[channel]
	if channel != 0 && !ex.hard && ch != nil {
		ch.fail(ex)
		return
	}
	c.reason = ex.text
	mute := ex.mute || c.distrusts(ex)
	if mute {
		c.endSilently()
		return
	}
	c.shutdown()
	c.send(0, &frame.ConnectionClose{ReplyCode: ex.code, ReplyText: ex.text,
		ClassID: ex.method.Class(), MethodID: ex.method.Method()})
}

// endSilently closes the connection without connection.close. If the client has not opened the
// connection, the close comes after the login delay.
func (c *connection) endSilently() {
	loggedIn := c.is(running)
	c.shutdown()
	if delay := c.b.cfg.loginDelay; delay > 0 && !loggedIn {
		c.linger.Reset(delay)
		return
	}
	c.drop()
}

// distrusts reports whether the handshake has not come far enough for the exception to be sent to
// the client.
func (c *connection) distrusts(ex *exception) bool {
	switch phase(c.phase.Load()) {
	case starting, securing:
		return ex.code != accessRefused.code && ex.code != connectionForced.code
	case tuning:
		return ex.code != notAllowed.code && ex.code != connectionForced.code
	}
	return false
}

// fatalTimeout is how long a client may take to read the exception for a bad frame.
const fatalTimeout = time.Second

// closeTimeout is how long a closed connection waits for its client, unless the
// heartbeat is shorter.
const closeTimeout = 30 * time.Second

// shutdown closes the channels, deletes the exclusive queues and marks the connection closed.
func (c *connection) shutdown() {
	opened := c.is(running)
	c.enter(closed)
	for _, ch := range c.ordered() {
		ch.release("")
	}
	clear(c.channels)
	for q := range c.exclusive {
		q.delete()
	}
	wait := closeTimeout
	if c.beat != nil && c.beat.interval < wait {
		wait = c.beat.interval
	}
	c.linger = time.AfterFunc(wait, func() {
		c.b.lock()
		c.drop()
		c.b.release()
	})
	c.b.unblock.Broadcast()
	if opened && c.b.recording() {
		c.b.emit(Event{Kind: ConnectionClosed, Connection: c.name, ConnectionID: c.id, Reason: c.reason}, nil)
	}
}

// ordered is the connection's channels by number.
func (c *connection) ordered() []*channel {
	all := slices.Collect(maps.Values(c.channels))
	slices.SortFunc(all, func(a, b *channel) int { return cmp.Compare(a.id, b.id) })
	return all
}

// drop ends reader and writer. The reader then cleans up.
func (c *connection) drop() {
	if c.dropped {
		return
	}
	c.dropped = true
	if c.linger != nil {
		c.linger.Stop()
	}
	c.b.unblock.Broadcast()
	c.out.finish()
	c.link.shut()
}

// gone cleans up when the reader ends.
func (c *connection) gone() {
	for _, p := range c.partial {
		c.b.arriving.Add(-int64(len(p.body)))
	}
	c.b.lock()
	if !c.is(closed) {
		c.shutdown()
	}
	c.beat.stop()
	c.out.finish()
	c.b.release()
	// A client that has only half-closed can still read the last answer.
	impatient := time.AfterFunc(fatalTimeout, c.link.shut)
	<-c.written
	impatient.Stop()
	c.b.lock()
	c.drop()
	delete(c.b.conns, c)
	if c.link.halfOpen() && !c.b.closed {
		c.b.abandoned = append(c.b.abandoned, c.link.Conn)
	} else {
		c.link.end()
	}
	c.b.release()
}

// write is the writer.
func (c *connection) write() {
	defer close(c.written)
	for {
		bufs, ok := c.out.take()
		if !ok {
			break
		}
		n, err := c.link.writeAll(bufs)
		if err != nil {
			break
		}
		c.out.wrote(n)
		if c.out.size.Load() < resumeAt && c.stalled.Load() {
			c.resumeConsumers()
		}
	}
	c.out.abandon()
	c.b.lock()
	c.drop()
	c.b.release()
}

// send adds a method to the outbox.
func (c *connection) send(channel uint16, m frame.Method) {
	c.out.add(func(dst []byte) []byte { return frame.AppendMethod(dst, channel, m) })
	c.toWake()
}

// toWake makes the next flush wake the writer.
func (c *connection) toWake() {
	if !c.out.queued {
		c.out.queued = true
		c.b.toWake = append(c.b.toWake, c.out)
	}
}
