package amqprpc

import (
	"errors"
	"maps"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/protocol"
)

// Header is the metadata of a request or a reply: AMQP headers with string values. Names
// that begin with "rpc-" belong to the protocol, and cannot be set. "CC" and "BCC" cannot
// be set either, because they make the broker copy the message to other queues. A Header is
// an ordinary map, and not safe for concurrent use.
type Header map[string]string

func (h Header) clone() Header { return maps.Clone(h) }

const (
	frameAmple   = 64 << 10 // a frame_max at which all that protocol.CheckHeader accepts fits
	frameReserve = 2 << 10  // more than all properties and headers of the framework's own
)

// headerFits reports whether the metadata fits into one frame, as all of a message's
// must, on a connection whose broker takes only small ones: a larger one would end
// the connection.
func headerFits(h Header, frameMax int) error {
	if size, limit := protocol.HeaderSize(h), headerLimit(frameMax); size > limit {
		return &protocol.SizeError{Size: size, Limit: limit}
	}
	return nil
}

// headerLimit is how large the headers of a message may be on such a connection.
func headerLimit(frameMax int) int {
	if frameMax <= 0 || frameMax >= frameAmple {
		return protocol.MaxHeader
	}
	return min(protocol.MaxHeader, frameMax-frameReserve)
}

// headerErrorCode is the code for what protocol.CheckHeader found.
func headerErrorCode(err error) Code {
	if _, ok := errors.AsType[*protocol.SizeError](err); ok {
		return CodeResourceExhausted
	}
	return CodeInvalidArgument
}
