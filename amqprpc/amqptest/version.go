package amqptest

import "github.com/bbebcec1/amqprpc-go/amqprpc/internal/frame"

// Version is a release series of RabbitMQ.
type Version uint8

// The releases that the broker can follow.
const (
	RabbitMQ310 Version = iota // the default
	RabbitMQ40
	RabbitMQ43
)

// String is the version as connection.start says it.
func (v Version) String() string { return [...]string{"3.10.8", "4.0.5", "4.3.6"}[v] }

// Follow makes the broker behave as that release of RabbitMQ. The package's documentation
// lists the differences.
func Follow(v Version) Option { return func(c *config) { c.follow = v } }

// since reports whether the broker follows that release or a later one.
func (b *Broker) since(v Version) bool { return b.cfg.follow >= v }

// defaultMaxMessage is the release's greatest message, in bytes.
func (v Version) defaultMaxMessage() int {
	if v >= RabbitMQ40 {
		return 16 << 20
	}
	return 128 << 20
}

// leastFrameMax is the smallest frame_max that a client may settle for.
func (v Version) leastFrameMax() uint32 {
	if v >= RabbitMQ43 {
		return 8192
	}
	return frame.MinSize
}

// mechanisms are those that connection.start offers.
func (v Version) mechanisms() string {
	if v >= RabbitMQ40 {
		return "ANONYMOUS AMQPLAIN PLAIN"
	}
	return "AMQPLAIN PLAIN"
}

// otherProtocol is what a client of an unknown protocol is told to speak: the
// later releases prefer AMQP 1.0.
func (v Version) otherProtocol() string {
	if v >= RabbitMQ40 {
		return "AMQP\x03\x01\x00\x00"
	}
	return frame.ProtocolHeader
}

// Follows returns the release that the broker follows.
func (b *Broker) Follows() Version { return b.cfg.follow }
