package middleware

import (
	"context"
	"slices"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
)

// AuthUser lets a server take requests only from RabbitMQ users that allow accepts. The user
// is [amqprpc.Request.UserID], which the broker has checked. Callers need
// [amqprpc.WithUserID], or must set user_id in another language.
//
// A request without a user is unauthenticated. If allow returns false, the request is
// permission_denied. In both cases the message is not decoded, and no handler runs. allow
// gets the name of the user and the name of the queue, and may be called concurrently. On a
// client, AuthUser passes all requests on. AuthUser panics if allow is nil.
//
// docs/guide/security.md says what the broker's operator must set.
func AuthUser(allow func(user, queue string) bool) amqprpc.Middleware {
	if allow == nil {
		panic("middleware: AuthUser: allow is nil")
	}
	return func(next amqprpc.Invoker) amqprpc.Invoker {
		return func(ctx context.Context, req *amqprpc.Request) (*amqprpc.Response, error) {
			user := req.UserID()
			switch {
			case req.IsClient():
			case user == "":
				return nil, amqprpc.Errorf(amqprpc.CodeUnauthenticated, "the request names no user (user_id)")
			case !allow(user, req.Queue()):
				return nil, amqprpc.Errorf(amqprpc.CodePermissionDenied, "the user %q may not call the queue %q", user, req.Queue())
			}
			return next(ctx, req)
		}
	}
}

// Users returns a function for [AuthUser] that accepts these users on every queue.
func Users(names ...string) func(user, queue string) bool {
	names = slices.Clone(names)
	return func(user, _ string) bool { return slices.Contains(names, user) }
}
