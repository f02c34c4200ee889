package amqprpc

import (
	"fmt"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/messaging"
)

// errSilent is why there is no connection before the broker has answered at all.
func errSilent(addr string) error {
	return fmt.Errorf("connect to %s: there is no answer yet; is it an AMQP port?", addr)
}

// setupError is an error of an operation that is no call, with its code.
func setupError(operation string, code Code, err error) *Error {
	return Errorf(code, "%s: %w", operation, err)
}

// setupCode is the code for why a connection, or what is used on it, could not be had.
func setupCode(err error) Code {
	switch messaging.RefusalOf(err) {
	case messaging.RefusedCredentials:
		return CodeUnauthenticated
	case messaging.RefusedVirtualHost:
		return CodePermissionDenied
	case messaging.NoVirtualHost:
		return CodeNotFound
	}
	switch code := messaging.Code(err); {
	case !messaging.IsPermanent(err):
		return CodeUnavailable
	case code == messaging.CodeAccessRefused:
		return CodePermissionDenied
	case code == messaging.CodeNotFound:
		return CodeNotFound
	default:
		return CodeFailedPrecondition
	}
}
