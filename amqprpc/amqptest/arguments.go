package amqptest

import (
	"fmt"
	"slices"
	"time"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/frame"
)

// queueOptions are a queue's optional arguments, understood.
type queueOptions struct {
	quorum      bool
	expires     time.Duration // x-expires; zero for never
	ttl         int64         // x-message-ttl in nanoseconds; negative for none
	maxLength   int64         // negative for no limit
	maxBytes    int64
	overflow    string // empty where nothing is said
	deadLetters bool   // there is a dead-letter exchange
	dlx         string
	dlxKey      string
	hasDLXKey   bool
	maxPriority int // zero for a queue without priorities
	single      bool
	limit       int64 // x-delivery-limit of a quorum queue; negative for none
	unlimited   bool  // … said so
}

// queueArgument is one that RabbitMQ knows: who may have it, and what it may be.
type queueArgument struct {
	name            string
	classic, quorum bool
	check           func(v any, all frame.Table) string // empty, or what is wrong, as a term
}

// queueArguments is in the order in which RabbitMQ 3.10 checks. Arguments that
// it does not know are kept and mean nothing.
var queueArguments = []queueArgument{
	{"x-expires", true, true, checkExpires},
	{"x-message-ttl", true, true, checkTTL},
	{"x-dead-letter-exchange", true, true, checkString},
	{"x-dead-letter-routing-key", true, true, checkDeadLetterKey},
	{"x-dead-letter-strategy", false, true, oneOf("invalid_dlx_strategy", "at-most-once", "at-least-once")},
	{"x-max-length", true, true, checkNotNegative},
	{"x-max-length-bytes", true, true, checkNotNegative},
	{"x-max-in-memory-length", false, true, checkNotNegative},
	{"x-max-in-memory-bytes", false, true, checkNotNegative},
	{"x-max-priority", true, false, checkPriority},
	{"x-overflow", true, true, oneOf("invalid_overflow",
		overflowDrop, overflowReject, overflowRejectDLX)},
	{"x-queue-mode", true, false, checkMode},
	{"x-queue-version", true, false, checkVersion},
	{"x-single-active-consumer", true, true, checkBool},
	{"x-quorum-initial-group-size", false, true, checkPositive},
	{"x-queue-leader-locator", false, true, oneOf("invalid_queue_locator_arg",
		"client-local", "balanced", "random", "least-leaders", "min-masters")},
	{"x-queue-type", true, true, nil},
	{"x-delivery-limit", false, true, nil},
	{"x-queue-master-locator", true, false, nil}, // checked apart
	{"x-max-age", false, false, nil},
	{"x-stream-max-segment-size-bytes", false, false, nil},
	{"x-initial-cluster-size", false, false, nil},
	{"x-consumer-timeout", false, true, checkNotNegative},
	{"x-consumer-disconnected-timeout", false, true, checkNotNegative},
	{"x-delayed-retry-type", false, true, nil},
	{"x-stream-filter-size-bytes", false, false, nil},
}

// queueArguments are those that the release knows.
func (v Version) queueArguments() []queueArgument {
	known := make([]queueArgument, 0, len(queueArguments))
	for _, a := range queueArguments {
		switch a.name {
		case "x-consumer-timeout", "x-consumer-disconnected-timeout", "x-delayed-retry-type", "x-stream-filter-size-bytes":
			if v < RabbitMQ43 {
				continue
			}
		case "x-queue-leader-locator":
			a.classic = v >= RabbitMQ40
		case "x-queue-version":
			if v >= RabbitMQ43 {
				a.check = checkVersion43
			}
		case "x-queue-mode":
			if v >= RabbitMQ43 {
				a.check = nil // it means nothing any more
			}
		}
		known = append(known, a)
	}
	return known
}

// parseQueueArguments checks a new queue's arguments; of is how exceptions name it.
func parseQueueArguments(of string, args frame.Table, release Version) (queueOptions, *exception) {
	o := noOptions()
	kind := "classic"
	if v, ok := args.Lookup("x-queue-type"); ok {
		wrong := checkString(v, nil)
		kind, _ = v.(string)
		if wrong == "" && kind != "classic" && kind != "quorum" {
			wrong = listTerm("unsupported queue type '" + kind + "'")
		}
		if wrong != "" {
			return o, fail(preconditionFailed, "invalid arg 'x-queue-type' for %s: %s", of, wrong)
		}
	}
	o.quorum = kind == "quorum"
	known := release.queueArguments()
	for _, a := range known {
		v, ok := args.Lookup(a.name)
		if !ok || a.check == nil || o.quorum && !a.quorum || !o.quorum && !a.classic {
			continue
		}
		if wrong := a.check(v, args); wrong != "" {
			return o, fail(preconditionFailed, "invalid arg '%s' for %s: %s", a.name, of, wrong)
		}
	}
	if v, ok := args.Lookup("x-queue-master-locator"); ok && !o.quorum {
		if ex := checkMasterLocator(v, release); ex != nil {
			return o, ex
		}
	}
	for _, f := range args {
		i := slices.IndexFunc(known, func(a queueArgument) bool { return a.name == f.Key })
		if i >= 0 && (o.quorum && !known[i].quorum || !o.quorum && !known[i].classic) {
			return o, fail(preconditionFailed, "invalid arg '%s' for %s of queue type rabbit_%s_queue",
				f.Key, of, kind)
		}
	}
	o.read(args)
	return o, nil
}

// noOptions are those of a queue without arguments.
func noOptions() queueOptions {
	return queueOptions{ttl: -1, maxLength: -1, maxBytes: -1, limit: -1}
}

// complete fills in what neither arguments nor a policy say.
func (o queueOptions) complete(release Version) queueOptions {
	const defaultLimit = 20
	if o.quorum && release >= RabbitMQ40 && o.limit < 0 && !o.unlimited {
		o.limit = defaultLimit
	}
	// RabbitMQ logs that a quorum queue cannot reject to a dead-letter exchange.
	if o.overflow == "" || o.quorum && o.overflow == overflowRejectDLX {
		o.overflow = overflowDrop
	}
	return o
}

// checkMasterLocator is for an argument that each release treats in its own way.
func checkMasterLocator(v any, release Version) *exception {
	s, _ := v.(string)
	switch {
	case release >= RabbitMQ43:
		return fail(internalError, "Feature `queue_master_locator` is deprecated.\n"+
			"By default, this feature is not permitted anymore.\n"+
			"The feature will be removed from a future major RabbitMQ version, regardless of the "+
			"configuration; actual version to be determined.\nTo continue using it, it must be permitted.")
	case release < RabbitMQ40 && !slices.Contains([]string{"client-local", "min-masters", "random"}, s):
		return crash()
	}
	return nil
}

// read takes the values of arguments that have been checked.
func (o *queueOptions) read(args frame.Table) {
	for _, f := range args {
		n, _ := integer(f.Value)
		s, _ := octets(f.Value)
		switch f.Key {
		case "x-expires":
			o.expires = time.Duration(n) * time.Millisecond
		case "x-message-ttl":
			o.ttl = n * int64(time.Millisecond)
		case "x-max-length":
			o.maxLength = n
		case "x-max-length-bytes":
			o.maxBytes = n
		case "x-overflow":
			o.overflow = s
		case "x-dead-letter-exchange":
			o.deadLetters, o.dlx = true, s
		case "x-dead-letter-routing-key":
			o.hasDLXKey, o.dlxKey = true, s
		case "x-max-priority":
			o.maxPriority = int(n)
		case "x-single-active-consumer":
			o.single, _ = f.Value.(bool)
		case "x-delivery-limit":
			o.limit, o.unlimited = n, n < 0
		}
	}
}

// The checks. Each says what is wrong in the words of RabbitMQ's Erlang.

func checkInteger(v any, _ frame.Table) string {
	switch v.(type) {
	case frame.Timestamp:
	default:
		if _, ok := integer(v); ok {
			return ""
		}
	}
	return fmt.Sprintf("%q", "expected integer, got "+typeName(v))
}

func checkNotNegative(v any, t frame.Table) string {
	if wrong := checkInteger(v, t); wrong != "" {
		return wrong
	}
	if n, _ := integer(v); n < 0 {
		return fmt.Sprintf("{value_negative,%d}", n)
	}
	return ""
}

func checkPositive(v any, t frame.Table) string {
	wrong := checkNotNegative(v, t)
	if n, _ := integer(v); wrong == "" && n == 0 {
		return "{value_zero,0}"
	}
	return wrong
}

// maxExpiry is the longest time that RabbitMQ accepts for anything: ten years
// of 365 days, in milliseconds.
const maxExpiry = 10 * 365 * 24 * 60 * 60 * 1000

func checkTTL(v any, t frame.Table) string {
	if wrong := checkInteger(v, t); wrong != "" {
		return wrong
	}
	switch n, _ := integer(v); {
	case n < 0:
		return fmt.Sprintf("{value_negative,%d}", n)
	case n > maxExpiry:
		return fmt.Sprintf("{value_too_large,%d}", n)
	}
	return ""
}

func checkExpires(v any, t frame.Table) string {
	if n, ok := integer(v); ok && n == 0 {
		return "{value_zero,0}"
	}
	return checkTTL(v, t)
}

func checkPriority(v any, t frame.Table) string {
	wrong := checkNotNegative(v, t)
	if n, _ := integer(v); wrong == "" && n > 255 {
		return fmt.Sprintf("{max_value_exceeded,%d}", n)
	}
	return wrong
}

func checkBool(v any, _ frame.Table) string {
	if _, ok := v.(bool); ok {
		return ""
	}
	return "{unacceptable_type," + typeName(v) + "}"
}

func checkString(v any, _ frame.Table) string {
	if _, ok := v.(string); ok {
		return ""
	}
	return "{unacceptable_type," + typeName(v) + "}"
}

func checkDeadLetterKey(v any, all frame.Table) string {
	wrong := checkString(v, all)
	if _, ok := all.Lookup("x-dead-letter-exchange"); wrong == "" && !ok {
		return "routing_key_but_no_dlx_defined"
	}
	return wrong
}

func checkVersion(v any, t frame.Table) string {
	wrong := checkNotNegative(v, t)
	if n, _ := integer(v); wrong == "" && n != 1 && n != 2 {
		return fmt.Sprintf("%q", fmt.Sprintf("unsupported queue version '%d'", n))
	}
	return wrong
}

// checkVersion43 is for releases that have only the second version left.
func checkVersion43(v any, t frame.Table) string {
	wrong := checkVersion(v, t)
	if n, _ := integer(v); wrong == "" && n == 1 {
		return `"unsupported queue version '1'"`
	}
	return wrong
}

func checkMode(v any, t frame.Table) string {
	wrong := checkString(v, t)
	if s, _ := v.(string); wrong == "" && s != "default" && s != "lazy" {
		return listTerm("unsupported queue mode '" + s + "'")
	}
	return wrong
}

// oneOf accepts some strings and calls the others otherwise.
func oneOf(otherwise string, known ...string) func(any, frame.Table) string {
	return func(v any, t frame.Table) string {
		wrong := checkString(v, t)
		if s, _ := v.(string); wrong == "" && !slices.Contains(known, s) {
			return otherwise
		}
		return wrong
	}
}
