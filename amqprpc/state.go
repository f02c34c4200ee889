package amqprpc

// State is what becomes of a connection, for [WithStateCallback].
type State int

const (
	StateConnected    State = iota + 1 // the connection is there; a client's reply queue, too, while a server's queues follow
	StateDisconnected                  // it was lost, or an attempt to make it failed
	StateBlocked                       // the broker takes no messages, for lack of memory or disk
	StateUnblocked                     // it takes messages again
	StateDraining                      // the server stops; it answers what it has
	StateServing                       // the server consumes all of its queues
	StateNotServing                    // a queue of the server is not consumed any more, or cannot be; Server.Status says which, and why
)

// String returns the state's name: connected, disconnected, blocked, unblocked,
// draining, serving, not serving.
func (s State) String() string {
	switch s {
	case StateConnected:
		return "connected"
	case StateDisconnected:
		return "disconnected"
	case StateBlocked:
		return "blocked"
	case StateUnblocked:
		return "unblocked"
	case StateDraining:
		return "draining"
	case StateServing:
		return "serving"
	case StateNotServing:
		return "not serving"
	default:
		return "unknown"
	}
}

// WithStateCallback has f called at each change of state, after [Client.Status] or
// [Server.Status] shows the change. A lost connection takes the queues with it:
// StateDisconnected is then the only call. f runs on the goroutines that keep the
// connection, possibly on two at once, and must return soon.
func WithStateCallback(f func(State)) ConnOption {
	return connOption(func(c *connConfig) { c.onState = f })
}
