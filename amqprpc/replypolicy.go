package amqprpc

import (
	"fmt"
	"path"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/protocol"
)

// replyPolicy decides where a server may be told to send its answers.
type replyPolicy struct{ patterns []string }

func newReplyPolicy(patterns []string) (replyPolicy, error) {
	for _, p := range patterns {
		if _, err := path.Match(p, ""); err != nil {
			return replyPolicy{}, fmt.Errorf("WithAllowedReplyTo(%q): %w", p, err)
		}
	}
	return replyPolicy{patterns}, nil
}

func (p replyPolicy) allows(replyTo string) bool {
	if protocol.AllowedReplyTo(replyTo) {
		return true
	}
	if protocol.IsDirect(replyTo) || protocol.ValidName(replyTo) != nil {
		return false
	}
	for _, pattern := range p.patterns {
		if ok, _ := path.Match(pattern, replyTo); ok {
			return true
		}
	}
	return false
}
