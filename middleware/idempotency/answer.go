package idempotency

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
)

// Answer is the answer to a request, ready to be given again. It can be stored as
// JSON. The zero value is a notification's that was done.
type Answer struct {
	ContentType string            `json:"content_type,omitempty"` // of Body; "" of errors and of notifications
	Body        []byte            `json:"body,omitempty"`
	Header      map[string]string `json:"header,omitempty"` // the reply's metadata
	Error       json.RawMessage   `json:"error,omitempty"`  // as it crosses the wire, nil for a result
}

// answer is the own result as it is stored. Of the reply's metadata it has what was added since
// before: what middleware further out adds, it adds to the repetition as well.
func (x *execution) answer(ctx context.Context, before amqprpc.Header) *Answer {
	r, a := x.own, &Answer{}
	add := func(name, v string) {
		if a.Header == nil {
			a.Header = make(map[string]string)
		}
		a.Header[name] = v
	}
	for name, v := range amqprpc.ReplyHeader(ctx) {
		if old, ok := before[name]; !ok || old != v {
			add(name, v)
		}
	}
	if r.err != nil {
		// As the engine puts it on the wire: of an error that wraps another the
		// whole text, under the wrapped one's code and details.
		e, ok := r.err.(*amqprpc.Error)
		if !ok {
			e = amqprpc.NewError(amqprpc.CodeOf(r.err), r.err)
		}
		a.Error, _ = json.Marshal(e) // details were encoded when they were added
		return a
	}
	for name, v := range r.resp.Header() {
		add(name, v)
	}
	if x.req.Kind() == amqprpc.Unary {
		a.ContentType = r.resp.ContentType()
		a.Body, _ = r.resp.Body() // encoded already, or it would be an error
	}
	return a
}

// replay answers with a stored answer.
func (x *execution) replay(ctx context.Context, a Answer) (*amqprpc.Response, error) {
	h := amqprpc.Header{}
	maps.Copy(h, a.Header)
	if x.replayHeader != "" {
		h[x.replayHeader] = "true"
	}
	if a.Error != nil {
		e := new(amqprpc.Error)
		if err := json.Unmarshal(a.Error, e); err != nil {
			return x.withoutStore(ctx, fmt.Errorf("the stored error of %q cannot be read: %w", x.key, err))
		}
		maps.Copy(amqprpc.ReplyHeader(ctx), h)
		return nil, e.WithOutcome(amqprpc.OutcomeExecuted) // by the first, which is what the caller wants to know
	}
	if x.req.Kind() == amqprpc.Unary && a.ContentType == "" {
		return nil, amqprpc.Errorf(amqprpc.CodeFailedPrecondition, "the call's id was used before, for a notification: there is no reply to repeat")
	}
	// A copy, since middleware further out may do with its response as it likes.
	return amqprpc.NewRawResponse(a.ContentType, bytes.Clone(a.Body), h), nil
}
