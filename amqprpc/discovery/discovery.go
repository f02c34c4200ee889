// Package discovery finds the servers of a virtual host, and asks them what they serve and how
// they do. It needs nothing but the broker: servers answer these questions by default. See
// [docs/guide/discovery.md].
//
//	for d, err := range discovery.Info(ctx, cli) {
//		…
//	}
//
// Each range over a sequence is a new question. A loop that breaks ends the question.
//
// An error in a sequence is an [*InstanceError] if it is of one server, and the range goes on.
// Any other error is of the whole question, and the last pair: permission_denied if the user
// may not write to the exchange amqprpc.control, unavailable if the replies are lost,
// deadline_exceeded or canceled if ctx ends first. If no server is there, the range ends
// without a pair.
//
// Nothing proves who has answered: any program that may connect to the virtual host may answer
// as any server. Names and texts are what the servers say. Whoever shows them on a terminal or
// a page must escape them.
//
// [docs/guide/discovery.md]: https://github.com/bbebcec1/amqprpc-go/blob/main/docs/guide/discovery.md
package discovery

import (
	"context"
	"errors"
	"iter"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/amqprpc/describe"
)

// InstanceError says why there is no document of one server that is there.
type InstanceError struct {
	ID  string // of the server, as it says
	Err error
}

// Error implements error.
func (e *InstanceError) Error() string { return "instance " + e.ID + ": " + e.Err.Error() }

// Unwrap returns Err.
func (e *InstanceError) Unwrap() error { return e.Err }

// Instances returns the servers that are there, in the order in which they answer.
func Instances(ctx context.Context, cli *amqprpc.Client, filters ...Filter) iter.Seq2[describe.Ping, error] {
	return ask(ctx, cli, describe.TypePing, func(d *describe.Ping) *describe.Identity { return &d.Identity }, filters)
}

// Info returns the descriptions of the servers and their methods.
func Info(ctx context.Context, cli *amqprpc.Client, filters ...Filter) iter.Seq2[describe.Info, error] {
	return ask(ctx, cli, describe.TypeInfo, func(d *describe.Info) *describe.Identity { return &d.Identity }, filters)
}

// Stats returns the counters of the servers. Each server asks the broker how long its queues
// are, and so takes up to 200 ms longer than for the other questions.
func Stats(ctx context.Context, cli *amqprpc.Client, filters ...Filter) iter.Seq2[describe.Stats, error] {
	return ask(ctx, cli, describe.TypeStats, func(d *describe.Stats) *describe.Identity { return &d.Identity }, filters)
}

// ask asks for documents of a type.
func ask[T any](ctx context.Context, cli *amqprpc.Client, kind string, identity func(*T) *describe.Identity, filters []Filter) iter.Seq2[T, error] {
	q := question{query: describe.Query{Type: kind}, quiet: defaultQuiet}
	for _, f := range filters {
		f.apply(&q)
	}
	return func(yield func(T, error) bool) {
		for a, err := range q.answers(ctx, cli) {
			var d T
			switch {
			case err == nil:
				err = read(a, &d, identity(&d), kind)
			case errors.Is(err, amqprpc.ErrNoInstance):
				return
			}
			if err != nil {
				var none T
				d = none
				if a.Instance != "" {
					err = &InstanceError{a.Instance, err}
				}
			}
			if !yield(d, err) {
				return
			}
		}
	}
}
