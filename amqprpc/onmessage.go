package amqprpc

// Direction says which way a message of a stream goes.
type Direction int

// The directions, as the side sees them that is asked.
const (
	MessageSent Direction = iota
	MessageReceived
)

// String returns sent or received.
func (d Direction) String() string {
	if d == MessageReceived {
		return "received"
	}
	return "sent"
}

// streaming is what a request of a stream has besides.
type streaming struct {
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

// OnMessage has f called with each message of a stream, a pointer: before it is encoded, and
// after it was decoded. Middleware calls OnMessage before next. An error of f keeps a message
// from being sent, and Send returns it; of a message that was received, Recv returns it. f is
// called on the goroutine that sends or receives. So it may be called for both directions at
// once. For requests that are no streams f is never called.
func (r *Request) OnMessage(f func(d Direction, msg any) error) {
	if r.kind.IsStream() {
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

// MessagesSent returns how many messages of the stream this side has sent so far. It is 0
// for a request that is no stream.
func (r *Request) MessagesSent() int64 {
	if r.streaming == nil || r.streaming.stream == nil {
		return 0
	}
	return r.streaming.stream.sent.Load()
}

// MessagesReceived returns how many messages of the stream this side has received so far. It
// is 0 for a request that is no stream.
func (r *Request) MessagesReceived() int64 {
	if r.streaming == nil || r.streaming.stream == nil {
		return 0
	}
	return r.streaming.stream.received.Load()
}
