package amqptest

import (
	"fmt"
	"strconv"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/frame"
)

// A declaration of what exists must agree with it. The texts are RabbitMQ's.

func inequivalent(name, of, received, current string) *exception {
	return fail(preconditionFailed, "inequivalent arg '%s' for %s: received %s but current is %s",
		name, of, received, current)
}

func sameFlag(name, of string, received, current bool) *exception {
	if received == current {
		return nil
	}
	return inequivalent(name, of, "'"+strconv.FormatBool(received)+"'", "'"+strconv.FormatBool(current)+"'")
}

// sameArgument compares one argument of two declarations by value: a client may
// change an integer's width, but not send a float for it.
func sameArgument(name, of string, received, current frame.Table) *exception {
	a, hasA := received.Lookup(name)
	b, hasB := current.Lookup(name)
	if !hasA && !hasB {
		return nil
	}
	if hasA && hasB && sameTerm(a, b) {
		return nil
	}
	// No type means classic.
	if name == "x-queue-type" && (!hasA || a == "classic") && (!hasB || b == "classic") {
		return nil
	}
	if hasA && hasB {
		if isDecimal(a) || isDecimal(b) {
			return crash() // RabbitMQ takes the pair for a type and a value
		}
		return inequivalent(name, of, quotedTerm(a), quotedTerm(b))
	}
	return inequivalent(name, of, typedTerm(a, hasA), typedTerm(b, hasB))
}

func isDecimal(v any) bool {
	_, is := v.(frame.Decimal)
	return is
}

// quotedTerm is a value in quotes; void is nothing, and has none.
func quotedTerm(v any) string {
	if v == nil {
		return "none"
	}
	return "'" + plainTerm(v) + "'"
}

func typedTerm(v any, has bool) string {
	if !has {
		return "none"
	}
	return fmt.Sprintf("the value '%s' of type '%s'", plainTerm(v), typeName(v))
}

// plainTerm prints a value for a human: a string as it is.
func plainTerm(v any) string {
	if s, ok := octets(v); ok {
		return s
	}
	return term(v)
}

// withType says classic where nothing is said, as the later releases do.
func withType(args frame.Table) frame.Table {
	if _, ok := args.Lookup("x-queue-type"); ok {
		return args
	}
	return append(args[:len(args):len(args)], frame.Field{Key: "x-queue-type", Value: "classic"})
}
