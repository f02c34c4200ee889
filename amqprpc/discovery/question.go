package discovery

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/amqprpc/describe"
	"github.com/bbebcec1/amqprpc-go/codec"
)

// answers asks the question. The answers are not read yet.
func (q question) answers(ctx context.Context, cli *amqprpc.Client) iter.Seq2[amqprpc.Answer[json.RawMessage], error] {
	opts := []amqprpc.CallOption{
		amqprpc.WithCodec(codec.JSON{}), amqprpc.WithCompression(nil), // servers read nothing else
		amqprpc.WithAcceptWait(q.quiet), amqprpc.WithLiveness(q.quiet),
	}
	if q.instance == "" {
		return amqprpc.All[describe.Query, json.RawMessage](ctx, cli, amqprpc.DiscoverQueue, q.query, opts...)
	}
	opts = append(opts, amqprpc.WithInstance(q.instance), amqprpc.WithFailFast(), amqprpc.WithTimeout(quietOfOne*q.quiet))
	return func(yield func(amqprpc.Answer[json.RawMessage], error) bool) {
		a := amqprpc.Answer[json.RawMessage]{}
		var err error
		a.Value, err = amqprpc.Call[describe.Query, json.RawMessage](ctx, cli, amqprpc.DiscoverQueue, q.query, opts...)
		if errors.Is(err, amqprpc.CodeDeadlineExceeded) && ctx.Err() == nil && (q.query.Service != "" || q.query.Queue != "") {
			return // another filter may exclude it
		}
		if err == nil || ctx.Err() == nil && amqprpc.OutcomeOf(err) != amqprpc.OutcomeNotSent { // else it says nothing of the server
			a.Instance = q.instance
		}
		yield(a, err)
	}
}

// read decodes the document of an answer.
func read[T any](a amqprpc.Answer[json.RawMessage], d *T, id *describe.Identity, kind string) error {
	if err := json.Unmarshal(a.Value, d); err != nil {
		return fmt.Errorf("its answer cannot be read: %w", err)
	}
	if id.Type != kind {
		return fmt.Errorf("its answer is of the type %.80q, not %q", id.Type, kind)
	}
	if id.Instance != a.Instance {
		return fmt.Errorf("its answer says that it is another instance, %.80q", id.Instance)
	}
	return nil
}
