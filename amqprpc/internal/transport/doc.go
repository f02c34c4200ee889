// Package transport is one connection to the broker: messages in and out.
//
// The driver (amqp091-go) does the handshake, heartbeats and the close. Channels go past
// the driver, since each message costs the driver some hundred allocations and six
// goroutine switches a round trip, and each channel 4 KiB: this package writes the frames
// of all channels between the frames of the driver, and takes what the broker sends on
// them out of the stream before the driver sees it.
//
// The package knows nothing of RPC. A connection is never repaired: when a
// connection is lost, its owner dials a new one.
package transport
