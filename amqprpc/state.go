package amqprpc

// State is a change of a server's or client's state, for [WithStateCallback].
type State int

const (
	StateConnected    State = iota + 1 // connected; a client also consumes its reply queue, and a server will next consume its queues
	StateDisconnected                  // the connection was lost, or an attempt to connect failed
	StateBlocked                       // the broker is short of memory or disk, and accepts no messages
	StateUnblocked                     // the broker accepts messages again
	StateDraining                      // the server stops, and answers the requests that it has
	StateServing                       // the server consumes all of its queues
	StateNotServing                    // the server does not consume one of its queues; Server.Status says which, and why
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

// WithStateCallback sets a function that is called at each change of the state. At that
// time, [Client.Status] or [Server.Status] already shows the change. If a connection is
// lost, f is called once, with StateDisconnected, although the queues are lost as well. f
// runs on the goroutines that maintain the connection, possibly on two at once. It must
// return soon.
func WithStateCallback(f func(State)) ConnOption {
	return connOption(func(c *connConfig) { c.onState = f })
}
