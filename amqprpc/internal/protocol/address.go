package protocol

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	// DirectReplyTo is the queue that a client of direct reply-to consumes
	// (https://www.rabbitmq.com/docs/direct-reply-to).
	DirectReplyTo = "amq.rabbitmq.reply-to"
	// ReplyQueuePrefix begins the names of reply queues.
	ReplyQueuePrefix = "amqprpc.reply."
	// ProbePrefix begins the names of queues that are never there. A mandatory
	// message to one tells whether its sender may publish.
	ProbePrefix = "amqprpc.probe."
	// BounceExchange is where queues dead-letter to and reply queues are bound, so
	// that requests come back to their callers.
	BounceExchange = "amqprpc.bounce"
	// ConsumerTag begins the tags of consumers. It is short, since each delivery has
	// it.
	ConsumerTag = "amqprpc"

	brokerNamed = "amq.gen-" // begins the names that the broker gives to queues
)

// BounceArguments binds a reply queue to BounceExchange for the requests of that
// Request.Client.
func BounceArguments(client string) map[string]any {
	return map[string]any{"x-match": "all", headerClient: client}
}

// ValidName reports why a queue cannot have that name. RabbitMQ closes the
// connection for some of these, and would take others for another queue.
func ValidName(name string) error {
	switch {
	case name == "":
		return errors.New("the queue's name is empty")
	case len(name) > MaxShortString:
		return fmt.Errorf("the queue's name has %d bytes; AMQP allows %d", len(name), MaxShortString)
	case !utf8.ValidString(name):
		return fmt.Errorf("the queue's name %q is not UTF-8", name)
	case strings.ContainsFunc(name, unicode.IsControl):
		return fmt.Errorf("the queue's name %q has a control character", name)
	case IsDirect(name):
		return fmt.Errorf("the broker reserves names that begin %q", DirectReplyTo)
	}
	return nil
}

// AllowedReplyTo reports whether every server accepts a reply_to: a reply queue of
// this protocol, one that the broker named, or a well-formed address of direct
// reply-to.
func AllowedReplyTo(replyTo string) bool {
	if IsDirect(replyTo) {
		return WellFormedDirect(replyTo)
	}
	return (strings.HasPrefix(replyTo, ReplyQueuePrefix) || strings.HasPrefix(replyTo, brokerNamed)) &&
		ValidName(replyTo) == nil
}

// AllowedInstance reports whether a client may send to the mailbox that a server has named.
func AllowedInstance(queue string) bool {
	return strings.HasPrefix(queue, InstancePrefix) && ValidName(queue) == nil
}

// IsDirect reports whether replyTo is an address of direct reply-to, well formed or
// not.
func IsDirect(replyTo string) bool { return strings.HasPrefix(replyTo, DirectReplyTo) }

// WellFormedDirect reports whether an address of direct reply-to has the shape that
// the broker gives it. RabbitMQ before 4.1 closes the connection that publishes to
// a malformed one, so that one bad request would stop server after server.
func WellFormedDirect(replyTo string) bool {
	rest, ok := strings.CutPrefix(replyTo, DirectReplyTo+".")
	if !ok {
		return false
	}
	pid, key, ok := strings.Cut(rest, ".")
	if !ok {
		return false
	}
	b, err := base64.StdEncoding.DecodeString(pid)
	if err != nil || !looksLikePID(b) {
		return false
	}
	k, err := base64.StdEncoding.DecodeString(key)
	return err == nil && len(k) == 16
}

// Loggable hides addresses of direct reply-to, since whoever knows one can write to
// it.
func Loggable(replyTo string) string {
	if IsDirect(replyTo) {
		return DirectReplyTo + ".…"
	}
	return replyTo
}

// looksLikePID reports whether b is an Erlang process id in the external term
// format (https://www.erlang.org/doc/apps/erts/erl_ext_dist.html), which is what
// the first part of a direct reply-to address holds.
func looksLikePID(b []byte) bool {
	if len(b) < 5 || b[0] != 131 {
		return false
	}
	var tail int // id, serial and creation
	switch b[1] {
	case 88: // NEW_PID_EXT
		tail = 12
	case 103: // PID_EXT
		tail = 9
	default:
		return false
	}
	var head int // the node's name, an atom
	switch b[2] {
	case 119, 115: // SMALL_ATOM_UTF8_EXT, SMALL_ATOM_EXT
		head = 4 + int(b[3])
	case 118, 100: // ATOM_UTF8_EXT, ATOM_EXT
		head = 5 + int(b[3])<<8 + int(b[4])
	default:
		return false
	}
	return len(b) == head+tail
}
