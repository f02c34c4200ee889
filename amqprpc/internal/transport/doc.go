// Package transport is one connection to the broker: messages in and out.
//
// The driver (amqp091-go) does the handshake, topology, heartbeats and the close.
// Messages go past the driver, since each one costs the driver some hundred
// allocations and six goroutine switches a round trip: this package writes the
// frames of a [Publishing] between the frames of the driver, and takes deliveries,
// returns and confirms out of the stream before the driver sees them. It also starts
// consumers, for each of which the driver would keep a goroutine.
//
// The package knows nothing of RPC. A connection is never repaired: when a
// connection is lost, its owner dials a new one.
package transport
