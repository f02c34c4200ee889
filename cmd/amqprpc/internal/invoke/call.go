package invoke

import (
	"context"
	"encoding/json"
	"iter"
	"time"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
)

// Timing says where the time of a call went, in the words of amqprpc.Timing.
type Timing struct {
	Sent    time.Duration `json:"sent_ns"`
	Queued  time.Duration `json:"queued_ns"`
	Handler time.Duration `json:"handler_ns"`
	Back    time.Duration `json:"back_ns"`
	Known   bool          `json:"known"`    // if not, the server has not said Queued and Handler, and Back has them, too
	Total   time.Duration `json:"total_ns"` // as the caller has measured it
}

// Result is what a call has returned. An error comes with a Result, too: it has all but the
// response.
type Result struct {
	Response json.RawMessage `json:"response,omitempty"`
	Instance string          `json:"instance,omitempty"` // the server that has answered, if it is known
	Header   amqprpc.Header  `json:"header,omitempty"`   // metadata of the reply
	Timing   Timing          `json:"timing"`             // of a stream or a broadcast, only Total
}

// Call sends a request and returns the response. Requests are validated first. The error is an
// *InvalidError or that of amqprpc.Call: FailureOf describes both.
func Call(ctx context.Context, cli *amqprpc.Client, m *Method, request json.RawMessage, o Options) (Result, error) {
	if err := o.check(m, request); err != nil {
		return Result{}, err
	}
	r := Result{Instance: o.Instance}
	var way amqprpc.Timing
	opts := o.callOptions(m, amqprpc.WithReplyHeader(&r.Header), amqprpc.WithTiming(&way))
	if o.Instance != "" {
		opts = append(opts, amqprpc.WithInstance(o.Instance))
	}
	start := time.Now()
	v, err := amqprpc.Call[Value, Value](ctx, cli, m.Queue, Value(request), opts...)
	r.Timing = Timing{Sent: way.Sent, Queued: way.Queued, Handler: way.Handler, Back: way.Back, Known: way.Known, Total: time.Since(start)}
	if err == nil {
		r.Response = compact(v)
	}
	return r, err
}

// Notify sends a request that nobody answers. It is validated first.
func Notify(ctx context.Context, cli *amqprpc.Client, m *Method, request json.RawMessage, o Options) error {
	if err := o.check(m, request); err != nil {
		return err
	}
	opts := o.callOptions(m)
	if o.Instance != "" {
		opts = append(opts, amqprpc.WithInstance(o.Instance))
	}
	return amqprpc.Notify(ctx, cli, m.Queue, Value(request), opts...)
}

// All sends a request to all instances and returns their answers, as amqprpc.All does. An
// error with an Instance concerns that instance alone. The request is validated first.
func All(ctx context.Context, cli *amqprpc.Client, m *Method, request json.RawMessage, o Options) iter.Seq2[Result, error] {
	return func(yield func(Result, error) bool) {
		if err := o.check(m, request); err != nil {
			yield(Result{}, err)
			return
		}
		start := time.Now()
		for a, err := range amqprpc.All[Value, Value](ctx, cli, m.Queue, Value(request), o.callOptions(m)...) {
			r := Result{Instance: a.Instance, Header: a.Header, Timing: Timing{Total: time.Since(start)}}
			if err == nil {
				r.Response = compact(a.Value)
			}
			if !yield(r, err) {
				return
			}
		}
	}
}
