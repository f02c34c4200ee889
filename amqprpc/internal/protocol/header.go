package protocol

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/frame"
)

// Version is the highest rpc-version that is understood here.
const Version = 1

// The framework's own headers.
const (
	headerPrefix     = "rpc-"
	headerVersion    = "rpc-version"
	headerAttempt    = "rpc-attempt"
	headerDeadline   = "rpc-deadline"
	headerStream     = "rpc-stream"
	headerToken      = "rpc-token"
	headerWindow     = "rpc-window"
	headerBatches    = "rpc-batches"
	headerHeartbeat  = "rpc-heartbeat" // on a request it is a wish, on a reply a heartbeat
	headerDeliveries = "rpc-deliveries"
	headerClient     = "rpc-client"
	headerAccept     = "rpc-accept-encoding"
	headerUserID     = "rpc-user-id" // of a copy that a server has made: the request's user_id
	headerCode       = "rpc-code"
	headerOutcome    = "rpc-outcome"
	headerRetryAfter = "rpc-retry-after"
	headerQueue      = "rpc-queue"    // of a request to a server's mailbox
	headerInstance   = "rpc-instance" // of the replies to such a request
	headerTiming     = "rpc-timing"   // the caller wants the two times below, in microseconds
	headerQueueTime  = "rpc-queue-time"
	headerWorkTime   = "rpc-handler-time"
)

// The broker's headers.
const (
	// headerDeliveryCount is set by quorum queues
	// (https://www.rabbitmq.com/docs/quorum-queues#poison-message-handling).
	headerDeliveryCount = "x-delivery-count"
	// headerDeathReason is set by dead-lettering (https://www.rabbitmq.com/docs/dlx).
	headerDeathReason = "x-first-death-reason"
	// RabbitMQ copies a message to the queues that these name
	// (https://www.rabbitmq.com/docs/sender-selected).
	headerCC, headerBCC = "CC", "BCC"
)

const (
	// MaxShortString is the most octets of a name, an id or a content type. A
	// longer one ends the connection (AMQP 0-9-1, 4.2.5.3).
	MaxShortString = 255
	// MaxHeader is the most octets on the wire of all headers of a message.
	MaxHeader = 8 << 10
	// MaxMetadata is the most octets on the wire of the user's headers of a
	// message. The rest of MaxHeader is for the framework and the broker.
	MaxMetadata = MaxHeader - 512
)

// Reserved reports whether users may not set the header of that name.
func Reserved(name string) bool {
	return strings.HasPrefix(name, headerPrefix) || name == headerCC || name == headerBCC
}

// SizeError says that headers are too large.
type SizeError struct{ Size, Limit int }

func (e *SizeError) Error() string {
	return fmt.Sprintf("the headers have %d bytes; the limit is %d", e.Size, e.Limit)
}

// CheckHeader reports what keeps a user's metadata from being sent: a *SizeError,
// or an error about a name.
func CheckHeader(h map[string]string) error {
	for name := range h {
		switch {
		case name == "":
			return fmt.Errorf("a header has an empty name")
		case len(name) > MaxShortString:
			return fmt.Errorf("the header name %.20q… has %d bytes; AMQP allows %d", name, len(name), MaxShortString)
		case strings.HasPrefix(name, headerPrefix):
			return fmt.Errorf("the header %q: names beginning %q are reserved", name, headerPrefix)
		case Reserved(name):
			return fmt.Errorf("the header %q: the broker would copy the message to the queues named there", name)
		}
	}
	if size := HeaderSize(h); size > MaxMetadata {
		return &SizeError{size, MaxMetadata}
	}
	return nil
}

// HeaderSize is the number of octets of a user's metadata on the wire.
func HeaderSize(h map[string]string) int {
	size := 0
	for name, value := range h {
		size += 1 + len(name) + 1 + 4 + len(value) // lengths and the type
	}
	return size
}

// Metadata decodes the user's headers out of a message's encoded ones: strings as
// they are, numbers and booleans as text. It skips values of other types.
func Metadata(fields []byte) map[string]string {
	var h map[string]string
	for name, v := range frame.Fields(fields) {
		if ours(name) {
			continue
		}
		text, ok := render(v)
		if !ok {
			continue
		}
		if h == nil {
			h = make(map[string]string)
		}
		h[string(name)] = text
	}
	return h
}

// ours reports whether a header is the framework's.
func ours(name []byte) bool {
	return len(name) >= len(headerPrefix) && string(name[:len(headerPrefix)]) == headerPrefix
}

func render(v frame.Value) (string, bool) {
	if text, ok := v.Text(); ok {
		return string(text), true
	}
	if n, ok := v.Int(); ok {
		return strconv.FormatInt(n, 10), true
	}
	if is, ok := v.Bool(); ok {
		return strconv.FormatBool(is), true
	}
	if f, bits, ok := v.Float(); ok {
		return strconv.FormatFloat(f, 'g', -1, bits), true
	}
	return "", false
}
