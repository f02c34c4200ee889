// Package invoke calls methods that the program knows only at run time: by the description that
// a server gives, or by the name of a queue alone. Requests and responses are JSON. The
// command line and the page call all methods through it.
package invoke

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/amqprpc/describe"
	"github.com/bbebcec1/amqprpc-go/codec"
)

// Method is a method that can be called. It is safe for concurrent use. Make one with Of or
// Foreign.
type Method struct {
	describe.Method

	known  bool
	codec  codec.Codec
	schema *jsonschema.Schema // nil if there is none, or none that can be used
	reason error              // why there is no schema
}

// Of returns the method that a server has described. The description may hold anything: the
// error says that the method accepts no content type that this package writes. If the schema
// of the requests cannot be used, requests are not validated, and Unchecked says why.
func Of(m describe.Method) (*Method, error) {
	c, err := codecOf(m)
	if err != nil {
		return nil, err
	}
	out := &Method{Method: m, known: true, codec: c}
	out.schema, out.reason = compile(m.Request.Schema)
	return out, nil
}

// Foreign returns a method of which only the queue is known. Its requests are JSON, and are
// not validated.
func Foreign(queue string) *Method {
	return &Method{Method: describe.Method{Queue: queue}, codec: codec.JSON{}, reason: errForeign}
}

var errForeign = fmt.Errorf("no server describes the queue")

// Known reports whether a server has described the method.
func (m *Method) Known() bool { return m.known }

// Unchecked returns why requests are not validated, or nil if they are.
func (m *Method) Unchecked() error { return m.reason }

// codecOf returns the codec of the requests: JSON, or else MessagePack.
func codecOf(m describe.Method) (codec.Codec, error) {
	for _, c := range []codec.Codec{codec.JSON{}, codec.MsgPack{}} {
		names := []string{c.ContentType()}
		if a, ok := c.(codec.Aliaser); ok {
			names = append(names, a.Aliases()...)
		}
		for _, accepted := range m.Codecs {
			bare, _, _ := strings.Cut(accepted, ";")
			if slices.Contains(names, strings.ToLower(strings.TrimSpace(bare))) {
				return c, nil
			}
		}
	}
	if len(m.Codecs) == 0 {
		return codec.JSON{}, nil
	}
	return nil, amqprpc.Errorf(amqprpc.CodeUnimplemented,
		"queue %.255q accepts %.300q, and this program writes only application/json and application/msgpack: call it with a program that has its codec", m.Queue, m.Codecs)
}

// Validate checks a request, or one message of a stream of requests. The error is an
// *InvalidError. It is nil if Unchecked is not.
func (m *Method) Validate(request json.RawMessage) error {
	if !json.Valid(request) {
		return notJSON(m.Queue, request)
	}
	if m.schema == nil {
		return nil
	}
	return validate(m.Queue, m.schema, request)
}
