package amqprpc

import (
	"fmt"
	"maps"
	"strconv"
	"strings"

	amqp "github.com/rabbitmq/amqp091-go"
)

// Header is the user's metadata beside a request or a reply, as AMQP headers
// with string values. Names beginning "rpc-" are the framework's; "CC" and "BCC"
// are the broker's, which copies messages to the queues named there. Neither can
// be set. A Header is an ordinary map: not safe for concurrent use.
type Header map[string]string

// The framework's own headers.
const (
	headerPrefix   = "rpc-"
	headerVersion  = "rpc-version"
	headerAttempt  = "rpc-attempt"
	headerDeadline = "rpc-deadline"
	headerStream   = "rpc-stream"
	headerBatches  = "rpc-batches" // on a request: replies may come several in a message

	headerHeartbeat  = "rpc-heartbeat"  // on a request: the wish, in milliseconds; on a reply: a sign of life, no answer
	headerDeliveries = "rpc-deliveries" // on a request that a server sent back: how often it was delivered
	headerCode       = "rpc-code"
	headerOutcome    = "rpc-outcome"
)

// protocolVersion is the highest rpc-version that is understood here.
const protocolVersion = 1

const (
	maxShortString = 255     // AMQP 0-9-1, 4.2.5.3: a longer one ends the connection
	maxHeaderBytes = 8 << 10 // of all the headers of one message; all of them must fit one frame
)

// headerFromTable reads the user's metadata out of a message's headers: strings
// as they are, numbers and booleans rendered. Tables, arrays, bytes and
// timestamps are left to Request.Delivery.
func headerFromTable(t amqp.Table) Header {
	if len(t) == 0 {
		return nil
	}
	var h Header
	for name, v := range t {
		if strings.HasPrefix(name, headerPrefix) {
			continue
		}
		s, ok := renderField(v)
		if !ok {
			continue
		}
		if h == nil {
			h = make(Header, len(t))
		}
		h[name] = s
	}
	return h
}

func renderField(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case bool:
		return strconv.FormatBool(v), true
	case float32:
		return strconv.FormatFloat(float64(v), 'g', -1, 32), true
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64), true
	default:
		n, ok := integerField(v)
		return strconv.FormatInt(n, 10), ok
	}
}

// integerField reads a header that AMQP clients of different languages send as
// integers of different widths.
func integerField(v any) (int64, bool) {
	switch v := v.(type) {
	case int8:
		return int64(v), true
	case byte:
		return int64(v), true
	case int16:
		return int64(v), true
	case uint16:
		return int64(v), true
	case int32:
		return int64(v), true
	case uint32:
		return int64(v), true
	case int64:
		return v, true
	case int:
		return int64(v), true
	default:
		return 0, false
	}
}

// into writes the metadata into a message's headers.
func (h Header) into(t amqp.Table) {
	for name, v := range h {
		t[name] = v
	}
}

// check says what would make the broker, or a peer, choke on the metadata.
func (h Header) check() error {
	size := 0
	for name, v := range h {
		switch {
		case name == "":
			return fmt.Errorf("a header has an empty name")
		case len(name) > maxShortString:
			return fmt.Errorf("the header name %.20q… has %d bytes; AMQP allows %d", name, len(name), maxShortString)
		case strings.HasPrefix(name, headerPrefix):
			return fmt.Errorf("the header %q: names beginning %q are reserved", name, headerPrefix)
		case name == "CC" || name == "BCC":
			return fmt.Errorf("the header %q: the broker would copy the message to the queues named there", name)
		}
		size += len(name) + len(v)
	}
	if size > maxHeaderBytes {
		return errHeaderTooLarge{size, maxHeaderBytes}
	}
	return nil
}

type errHeaderTooLarge struct{ size, limit int }

func (e errHeaderTooLarge) Error() string {
	return fmt.Sprintf("the headers have %d bytes; the limit is %d", e.size, e.limit)
}

// fits says whether the metadata fits into one frame, as all of a message's must,
// on a connection whose broker takes only small ones: a larger one would end it.
func (h Header) fits(frameMax int) error {
	if frameMax <= 0 || frameMax >= frameAmple {
		return nil
	}
	size := 0
	for name, v := range h {
		size += len(name) + len(v) + 6 // its type and lengths
	}
	if limit := frameMax - frameReserve; size > limit {
		return errHeaderTooLarge{size, limit}
	}
	return nil
}

const (
	frameAmple   = 64 << 10 // a frame_max at which all that check lets pass fits
	frameReserve = 2 << 10  // more than all properties and headers of the framework's own
)

// code is the code for what check found.
func headerErrorCode(err error) Code {
	if _, ok := err.(errHeaderTooLarge); ok {
		return CodeResourceExhausted
	}
	return CodeInvalidArgument
}

// tableSize estimates the bytes of a received message's headers.
func tableSize(t amqp.Table) int {
	size := 0
	for name, v := range t {
		size += len(name) + fieldSize(v)
	}
	return size
}

func fieldSize(v any) int {
	switch v := v.(type) {
	case string:
		return len(v)
	case []byte:
		return len(v)
	case amqp.Table:
		return tableSize(v)
	case []any:
		size := 0
		for _, e := range v {
			size += fieldSize(e)
		}
		return size
	default:
		return 8
	}
}

func (h Header) clone() Header { return maps.Clone(h) }
