package amqprpc

import (
	"fmt"
	"strings"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/messaging"
	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/protocol"
)

// check reports what keeps a queue of that name from being declared on any broker.
func (q Queue) check(name string) error {
	if err := protocol.ValidName(name); err != nil {
		return err
	}
	size := 0
	for arg, v := range q.arguments() {
		if arg == "" || len(arg) > protocol.MaxShortString {
			return fmt.Errorf("queue %q: the argument's name %.20q has %d bytes; AMQP allows 1 to %d", name, arg, len(arg), protocol.MaxShortString)
		}
		if err := (messaging.Table{arg: v}).Validate(); err != nil {
			return fmt.Errorf("queue %q: the argument %s is a %T, for which AMQP has no type: %w", name, arg, v, err)
		}
		size += len(arg) + len(fmt.Sprint(v))
	}
	if size > protocol.MaxHeader {
		return fmt.Errorf("queue %q: its arguments have about %d bytes; the limit is %d", name, size, protocol.MaxHeader)
	}
	return nil
}

// explainPrecondition says what 406 PRECONDITION_FAILED means for a declaration of
// what ("queue …" or "exchange …"). The broker has one code for it all.
func explainPrecondition(what string, err error) error {
	text := err.Error()
	why := "the broker does not accept it: an argument is invalid, or the queue is in a state that does not allow it"
	switch {
	case strings.Contains(text, "inequivalent arg"):
		why = "it exists with other properties; give WithQueue the ones it has, or WithQueue(Queue{Passive: true}) to take it as it is, or delete it"
	case strings.Contains(text, "limit") && strings.Contains(text, "is reached"):
		why = "a limit of queues is reached; raise the limit or delete queues"
	case strings.Contains(text, "invalid arg"):
		why = "an argument has a value that the broker does not accept"
	}
	return messaging.Permanent(fmt.Errorf("declare %s: %s: %w", what, why, err))
}
