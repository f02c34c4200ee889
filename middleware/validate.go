package middleware

import (
	"context"
	"errors"
	"reflect"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
)

// Validate checks each request's message that has a method
//
//	Validate() error
//
// with a value or a pointer receiver, and refuses the request if that returns an
// error. A message without the method passes; elements of slices and fields of
// structs are for the message's own method to check. Where the message is itself
// a pointer, nil is refused if its type could have been validated.
//
// On a server the handler does not run and the caller gets the error. On a client
// nothing is sent: the caller gets the error with [amqprpc.OutcomeNotSent].
// Either way its code is invalid_argument and its message the validation error's
// text, unless the validation error wraps an [*amqprpc.Error] or an
// [amqprpc.Code]: then its author has chosen, and it is returned as it is, with
// its code and details.
//
// It decodes the message, so whatever should run before that goes before it.
func Validate() amqprpc.Middleware {
	return func(next amqprpc.Invoker) amqprpc.Invoker {
		return func(ctx context.Context, req *amqprpc.Request) (*amqprpc.Response, error) {
			msg, err := req.Message()
			if err != nil {
				return nil, err
			}
			if err := validate(msg); err != nil {
				return nil, coded(err)
			}
			return next(ctx, req)
		}
	}
}

type validator interface{ Validate() error }

var validatorType = reflect.TypeFor[validator]()

// validate validates what msg, a pointer, leads to. The method set of a pointer
// has the methods of both receivers, so that only a message that is itself a
// pointer or an interface has to be followed further.
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
			// A value out of an interface: without an address it has none of
			// its pointer's methods.
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

// coded is err with a code: its own if it has one.
func coded(err error) error {
	if _, ok := errors.AsType[*amqprpc.Error](err); ok {
		return err
	}
	if _, ok := errors.AsType[amqprpc.Code](err); ok {
		return err
	}
	return amqprpc.NewError(amqprpc.CodeInvalidArgument, err)
}
