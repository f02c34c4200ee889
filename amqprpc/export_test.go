package amqprpc

import "context"

// IsInline reports whether the handler with that ctx is run by the goroutine that reads the connection.
func IsInline(ctx context.Context) bool {
	r, ok := RequestFromContext(ctx)
	return ok && r.in.inline
}

// ChannelOf is the number of the channel on which the request of a handler's ctx came.
func ChannelOf(ctx context.Context) int {
	r, _ := RequestFromContext(ctx)
	return int(r.in.lane.ch.tap.channel)
}

// RelayLanes is how many channels a queue has at most.
const RelayLanes = relayLanes
