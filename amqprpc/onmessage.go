package amqprpc

// Direction says which way a message of a stream goes, as seen from this side.
type Direction int

// The directions.
const (
	MessageSent     Direction = iota // by this side
	MessageReceived                  // by this side
)

// String returns sent or received.
func (d Direction) String() string {
	if d == MessageReceived {
		return "received"
	}
	return "sent"
}

// streaming is what a request of a stream has besides, and a request of a client that goes
// to instances.
type streaming struct {
	instance  string     // of WithInstance; client only
	broadcast *broadcast // client only
	timing    *timing    // of WithTiming; client only

	stream *stream       // that the request has opened
	call   *clientStream // client only
	look   []func(Direction, any) error
}

// part returns what a request of a stream has besides.
func (r *Request) part() *streaming {
	if r.streaming == nil {
		r.streaming = &streaming{}
	}
	return r.streaming
}

// OnMessage registers f, which is called with each message of a stream: a pointer, before the
// message is encoded or after it was decoded. Middleware must call OnMessage before next. If
// f returns an error for a message that is about to be sent, the message is not sent, and
// Send returns the error. If f returns an error for a message that was received, Recv returns
// it, and a client ends the stream. f runs on the goroutine that sends or receives, and so
// maybe for both directions at once. The message of a server stream's request and the reply
// of a client stream are not shown. On a client that
// sends a broadcast, f is called with each result, and its error is the error of that
// result. For all other requests, f is never called.
func (r *Request) OnMessage(f func(d Direction, msg any) error) {
	if r.kind.IsStream() || r.kind == KindBroadcast {
		r.part().look = append(r.part().look, f)
	}
}

// look shows a message to whoever wants to see it.
func (r *Request) look(d Direction, msg any) error {
	for _, f := range r.streaming.look {
		if err := f(d, msg); err != nil {
			return err
		}
	}
	return nil
}

// MessagesSent returns how many messages of the stream this side has sent so far. The
// message of a server stream's request does not count, and neither does the reply of a client
// stream. It is 0 for a request that is no stream.
func (r *Request) MessagesSent() int64 {
	if r.streaming == nil || r.streaming.stream == nil {
		return 0
	}
	return r.streaming.stream.sent.Load()
}

// MessagesReceived returns how many messages of the stream this side has received so far, as
// MessagesSent counts. It is 0 for a request that is no stream.
func (r *Request) MessagesReceived() int64 {
	if r.streaming == nil || r.streaming.stream == nil {
		return 0
	}
	return r.streaming.stream.received.Load()
}
