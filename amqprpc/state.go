package amqprpc

// State is what becomes of a connection, for [WithStateCallback].
type State int

const (
	StateConnected    State = iota + 1 // the connection is there; a client's reply queue, too, while a server's queues follow
	StateDisconnected                  // it was lost, or an attempt to make it failed
	StateBlocked                       // the broker takes no messages, for lack of memory or disk
	StateUnblocked                     // it takes messages again
	StateDraining                      // the server stops; it answers what it has
)

// String returns the state's name: connected, disconnected, blocked, unblocked,
// draining.
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
	default:
		return "unknown"
	}
}

// WithStateCallback has f told of each change of the connection's state. It is
// called on the goroutines that keep the connection, possibly on two at once, and
// must return soon.
func WithStateCallback(f func(State)) ConnOption {
	return connOption(func(c *connConfig) { c.onState = f })
}

func (c *connConfig) state(s State) {
	if c.onState == nil {
		return
	}
	defer func() {
		if p := recover(); p != nil {
			cause := newPanicError(p)
			c.log().Error("amqprpc: panic in a state callback", "state", s.String(), "panic", cause.Error(), "stack", string(cause.Stack))
		}
	}()
	c.onState(s)
}
