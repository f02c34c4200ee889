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

// OnMessage has f called with each message of a stream, a pointer: before it is encoded, and
// after it was decoded. Middleware calls OnMessage before next. An error of f's keeps a
// message from being sent, and is what Send returns; of a message that was received it is
// what Recv returns. f is called on the goroutine that sends or receives, so that it may be
// called for both directions at once. Requests that are no streams never call f.
func (r *Request) OnMessage(f func(d Direction, msg any) error) {
	r.onMessage = append(r.onMessage, f)
}

// look shows a message to whoever wants to see it.
func (r *Request) look(d Direction, msg any) error {
	for _, f := range r.onMessage {
		if err := f(d, msg); err != nil {
			return err
		}
	}
	return nil
}

// MessagesSent returns how many messages of the stream this side has sent so far, and
// MessagesReceived how many it has received. Both are 0 for a request that is no stream.
func (r *Request) MessagesSent() int64 {
	if r.stream == nil {
		return 0
	}
	return r.stream.sent.Load()
}

// MessagesReceived is described at [Request.MessagesSent].
func (r *Request) MessagesReceived() int64 {
	if r.stream == nil {
		return 0
	}
	return r.stream.received.Load()
}
