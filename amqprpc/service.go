package amqprpc

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"

	"github.com/bbebcec1/amqprpc-go/amqprpc/describe"
)

// Service says what a server is, for people and programs that look for it. See [WithService].
type Service struct {
	Name        string            // the program's name if it is empty
	Version     string            // of the service, for example "1.4.2"
	Description string            // a sentence or two
	Metadata    map[string]string // anything else, for example a team or a region
}

// WithService says what the server is. Whoever may send control messages can ask for it, so
// that it must not contain secrets. See package discovery.
func WithService(v Service) ServerOption {
	v.Metadata = maps.Clone(v.Metadata)
	return serverOption(func(c *serverConfig) { c.service = v })
}

// WithSchemas sets what makes a JSON Schema of a Go type, for [Server.Describe] and for
// clients that ask the server about its methods. The function of the module schema is
// schema.Of. Without the option there are no schemas. f is called once for each type, when
// somebody asks for the first time. If f returns an error or panics, the type has no schema,
// and the log says so.
func WithSchemas(f func(reflect.Type) (json.RawMessage, error)) ServerOption {
	return serverOption(func(c *serverConfig) { c.schemas = f })
}

// methodDoc is what the options of a handler say about it to people.
type methodDoc struct {
	text              string
	request, response *sample
	errors            []documentedError
}

// sample is a value that is shown as JSON.
type sample struct {
	value   any
	encoded json.RawMessage
}

// documentedError is an error that a method may return.
type documentedError struct {
	code    Code
	details *sample // nil if they are not documented
}

// WithDoc says what the handler's method does, for people: a sentence or some.
func WithDoc(text string) HandlerOption {
	return handlerOption(func(c *handlerConfig) { c.doc.text = text })
}

// WithErrors documents the codes that the handler returns. The option may be given several
// times. It has no effect on what the handler returns. Register panics if a code is not one of
// the constants of this package, or [CodeOK].
func WithErrors(codes ...Code) HandlerOption {
	return handlerOption(func(c *handlerConfig) {
		for _, code := range codes {
			c.doc.errors = append(c.doc.errors, documentedError{code: code})
		}
	})
}

// WithErrorDetails is [WithErrors] for a code whose errors have a detail, of which example is
// an example. Register panics if example cannot be encoded as JSON.
func WithErrorDetails(code Code, example any) HandlerOption {
	return handlerOption(func(c *handlerConfig) {
		c.doc.errors = append(c.doc.errors, documentedError{code, &sample{value: example}})
	})
}

// WithExample documents the handler with an example of a request or, for a stream whose client
// sends, of one of its messages. Register encodes it as JSON, and panics if that fails.
func WithExample(request any) HandlerOption {
	return handlerOption(func(c *handlerConfig) { c.doc.request = &sample{value: request} })
}

// WithResponseExample is [WithExample] for the response or, for a stream whose server sends,
// one of its messages.
func WithResponseExample(response any) HandlerOption {
	return handlerOption(func(c *handlerConfig) { c.doc.response = &sample{value: response} })
}

// encode encodes all examples. Register panics with its error.
func (d *methodDoc) encode() error {
	if err := d.request.encode("WithExample"); err != nil {
		return err
	}
	if err := d.response.encode("WithResponseExample"); err != nil {
		return err
	}
	for _, e := range d.errors {
		if !e.code.IsKnown() || e.code == CodeOK {
			return fmt.Errorf("WithErrors: %q is not the code of an error", string(e.code))
		}
		if err := e.details.encode("WithErrorDetails"); err != nil {
			return err
		}
	}
	return nil
}

func (s *sample) encode(option string) (err error) {
	if s == nil {
		return nil
	}
	if s.encoded, err = json.Marshal(s.value); err != nil {
		return fmt.Errorf("%s: the example cannot be encoded as JSON: %w", option, err)
	}
	return nil
}

// json is the value as JSON, nil if there is none.
func (s *sample) json() json.RawMessage {
	if s == nil {
		return nil
	}
	return s.encoded
}

// describe returns the documented errors, each code once.
func (d *methodDoc) describe(schemaOf func(reflect.Type) json.RawMessage) (errs []describe.Error) {
	at := make(map[Code]int)
	for _, e := range d.errors {
		i, known := at[e.code]
		if !known {
			i = len(errs)
			at[e.code] = i
			errs = append(errs, describe.Error{Code: string(e.code)})
		}
		if e.details != nil {
			errs[i].Details = e.details.schema(schemaOf)
		}
	}
	return errs
}

// schema is the schema of the value's type, with the value as its example.
func (s *sample) schema(schemaOf func(reflect.Type) json.RawMessage) json.RawMessage {
	schema := make(map[string]json.RawMessage)
	if t := reflect.TypeOf(s.value); t != nil {
		_ = json.Unmarshal(schemaOf(t), &schema) // a schema may also be a boolean: then there is the example alone
	}
	if schema == nil {
		schema = make(map[string]json.RawMessage)
	}
	schema["examples"], _ = json.Marshal([]json.RawMessage{s.encoded}) // it was encoded before
	text, _ := json.Marshal(schema)
	return text
}
