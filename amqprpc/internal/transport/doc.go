// Package transport is one connection to the broker: messages in and out.
//
// The driver (amqp091-go) does the handshake: it knows the login mechanisms and the URLs.
// Then this package takes the connection over, since each message costs the driver some
// hundred allocations and six goroutine switches a round trip, each channel 4 KiB, and
// each connection two goroutines. One goroutine reads the connection, and whoever has
// something to write writes it.
//
// The package knows nothing of RPC. A connection is never repaired: when a
// connection is lost, its owner dials a new one.
package transport
