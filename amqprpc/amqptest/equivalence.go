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
// change an integer's width.
func sameArgument(name, of string, received, current frame.Table) *exception {
	a, hasA := received.Lookup(name)
	b, hasB := current.Lookup(name)
	if !hasA && !hasB {
		return nil
	}
	if hasA && hasB && sameValue(a, b) {
		return nil
	}
	// No type means classic.
	if name == "x-queue-type" && (!hasA || a == "classic") && (!hasB || b == "classic") {
		return nil
	}
	if hasA && hasB {
		return inequivalent(name, of, "'"+plainTerm(a)+"'", "'"+plainTerm(b)+"'")
	}
	return inequivalent(name, of, typedTerm(a, hasA), typedTerm(b, hasB))
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
