package amqprpc

import (
	"sync/atomic"
	"time"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/protocol"
)

// Timing says how long the parts of a call took, one after the other. Together they are the
// whole call, with the middleware of the client.
type Timing struct {
	Sent    time.Duration // until the last attempt was handed to the connection
	Queued  time.Duration // in the queue and in the server, before a worker took the request: an estimate, as Request.QueueTime is
	Handler time.Duration // in the handler, with decoding, encoding and middleware of the server
	Back    time.Duration // the rest: on the network, in the broker, and in the client
	Known   bool          // the server has said Queued and Handler; otherwise both are 0, and Back has them, too
}

// WithTiming sets *dst when the call ends, also with an error. It asks the server for its part.
// Servers that do not know the option, and replies that are not a server's, leave Known false.
// It is for calls: for notifications, streams and broadcasts *dst stays as it is. It is not for
// [Client.With], because calls at the same time would share dst.
func WithTiming(dst *Timing) CallOption {
	return callOption(func(c *callConfig) { c.timing = dst })
}

// timing is what is known of the parts of a call. The goroutines of the connection write it. A
// nil timing is not wanted.
type timing struct {
	written atomic.Int64 // a moment; 0 is never
	server  atomic.Pointer[protocol.Timing]
}

// timing returns nil for a request whose timing nobody wants.
func (r *Request) timing() *timing {
	if r.streaming == nil {
		return nil
	}
	return r.streaming.timing
}

// write notes that an attempt is written now, and reports whether that is wanted.
func (t *timing) write(now moment) bool {
	if t == nil {
		return false
	}
	t.written.Store(int64(now))
	t.server.Store(nil) // what an earlier attempt was told
	return true
}

// answered notes what a server has said.
func (t *timing) answered(got *protocol.Timing) { t.server.Store(got) }

// fill sets dst when the call that began then ends.
func (t *timing) fill(dst *Timing, c *Client, began moment) {
	total := time.Duration(c.age() - began)
	*dst = Timing{Sent: total}
	if at := t.written.Load(); at > 0 {
		dst.Sent = min(time.Duration(moment(at)-began), total)
	}
	rest := total - dst.Sent
	if s := t.server.Load(); s != nil {
		dst.Known = true
		dst.Handler = min(s.Handler, rest)
		dst.Queued = min(s.Queued, rest-dst.Handler) // the server estimates it
	}
	dst.Back = rest - dst.Queued - dst.Handler
}
