package idempotency

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
)

// Answer is a stored answer. It can be encoded as JSON. The zero value is the answer to
// a notification.
type Answer struct {
	ContentType string            `json:"content_type,omitempty"` // of Body; "" for errors and notifications
	Body        []byte            `json:"body,omitempty"`
	Header      map[string]string `json:"header,omitempty"` // the reply's metadata
	Error       json.RawMessage   `json:"error,omitempty"`  // as on the wire; nil for a result
}

// answer returns the answer to store. Its metadata is what has been added to the reply
// since before: middleware further out adds its own metadata to each repetition.
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
		// This is how the server encodes an error that wraps an *amqprpc.Error: the
		// text of the outer error, with the code and details of the inner one.
		e, ok := r.err.(*amqprpc.Error)
		if !ok {
			e = amqprpc.NewError(amqprpc.CodeOf(r.err), r.err)
		}
		a.Error, _ = json.Marshal(e) // cannot fail: details are encoded when they are added
		return a
	}
	for name, v := range r.resp.Header() {
		add(name, v)
	}
	if x.req.Kind() == amqprpc.KindUnary {
		a.ContentType = r.resp.ContentType()
		a.Body, _ = r.resp.Body() // cannot fail: the body is encoded already
	}
	return a
}

// replay answers the request with a stored answer.
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
		return nil, e.WithOutcome(amqprpc.OutcomeExecuted) // the call has run, even if this request has not
	}
	if x.req.Kind() == amqprpc.KindUnary && a.ContentType == "" {
		return nil, amqprpc.Errorf(amqprpc.CodeFailedPrecondition, "the call's id was used before, for a notification: there is no reply to repeat")
	}
	// Middleware further out may change the response, so it gets a copy of the body.
	return amqprpc.NewRawResponse(a.ContentType, bytes.Clone(a.Body), h), nil
}
