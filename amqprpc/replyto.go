package amqprpc

import (
	"encoding/base64"
	"fmt"
	"path"
	"strings"
)

// replyPolicy decides where a server may be told to send its answers.
type replyPolicy struct{ patterns []string }

func newReplyPolicy(patterns []string) (replyPolicy, error) {
	for _, p := range patterns {
		if _, err := path.Match(p, ""); err != nil {
			return replyPolicy{}, fmt.Errorf("WithReplyTo(%q): %w", p, err)
		}
	}
	return replyPolicy{patterns}, nil
}

func (p replyPolicy) allows(replyTo string) bool {
	if strings.HasPrefix(replyTo, directReplyTo) {
		return wellFormedDirect(replyTo)
	}
	if strings.HasPrefix(replyTo, replyQueuePrefix) || strings.HasPrefix(replyTo, "amq.gen-") {
		return true
	}
	for _, pattern := range p.patterns {
		if ok, _ := path.Match(pattern, replyTo); ok {
			return true
		}
	}
	return false
}

// wellFormedDirect reports whether a direct reply-to address has the shape that
// the broker gives it. RabbitMQ before 4.1 ends the connection that publishes to
// one that it cannot read, so that a single bad request would take server after
// server down.
func wellFormedDirect(replyTo string) bool {
	rest, ok := strings.CutPrefix(replyTo, directReplyTo+".")
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

// loggableReplyTo hides direct reply-to addresses, since whoever knows one can
// write to it.
func loggableReplyTo(replyTo string) string {
	if strings.HasPrefix(replyTo, directReplyTo) {
		return directReplyTo + ".…"
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
