package middleware

import (
	"context"
	"errors"
	"reflect"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
)

// Validate checks each request's message, and each message of a stream, that has a method
//
//	Validate() error
//
// with a value or a pointer receiver, and refuses the request if the method returns an
// error. A message without the method passes. Validate does not look into slices and
// structs: the message's own method must check its elements and fields. A nil pointer
// is refused if its type has the method.
//
// On a server, the handler does not run and the caller gets the error. On a client,
// nothing is sent and the caller gets the error with [amqprpc.OutcomeNotSent]. The
// error's code is invalid_argument and its message is the text of the validation error.
// If the validation error wraps an [*amqprpc.Error] or an [amqprpc.Code], it is
// returned as it is, with its own code and details.
//
// Validate checks the messages of a stream in both directions, on each side that has it. A
// message that is refused is not sent: Send returns the error, and the stream goes on. If it
// was received, Recv returns the error, and a client then ends the stream. A caller's message
// has the code invalid_argument, as above. A server's message has the code internal, because
// the caller is not to blame for it. The reply of a client stream is not checked, like the
// reply of a call.
//
// Validate decodes the message. Put middleware that must run before decoding before it.
func Validate() amqprpc.Middleware {
	return func(next amqprpc.Invoker) amqprpc.Invoker {
		return func(ctx context.Context, req *amqprpc.Request) (*amqprpc.Response, error) {
			msg, err := req.Message()
			if err != nil {
				return nil, err
			}
			if err := validate(msg); err != nil {
				return nil, coded(err, amqprpc.CodeInvalidArgument)
			}
			req.OnMessage(func(d amqprpc.Direction, msg any) error {
				err := validate(msg)
				if err == nil {
					return nil
				}
				if fromCaller := req.IsClient() == (d == amqprpc.MessageSent); fromCaller {
					return coded(err, amqprpc.CodeInvalidArgument)
				}
				return coded(err, amqprpc.CodeInternal)
			})
			return next(ctx, req)
		}
	}
}

type validator interface{ Validate() error }

var validatorType = reflect.TypeFor[validator]()

// validate validates the value that msg points to. A pointer has the methods of both
// receivers, so validate follows only pointers to pointers and to interfaces.
func validate(msg any) error {
	if msg == nil {
		return nil
	}
	v := reflect.ValueOf(msg)
	for {
		switch v.Kind() {
		case reflect.Pointer, reflect.Interface:
			if !v.IsNil() {
				break
			}
			if v.Type().Implements(validatorType) {
				return errors.New("the message is null")
			}
			return nil
		default:
			// A value in an interface has no address, so it lacks its pointer's methods. Copy
			// the value into a variable.
			p := reflect.New(v.Type())
			p.Elem().Set(v)
			v = p
		}
		if v.Kind() == reflect.Pointer {
			if c, ok := v.Interface().(validator); ok {
				return c.Validate()
			}
			if k := v.Type().Elem().Kind(); k != reflect.Pointer && k != reflect.Interface {
				return nil
			}
		}
		v = v.Elem()
	}
}
