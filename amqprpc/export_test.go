package amqprpc

import "context"

// IsInline reports whether the handler with that ctx is run by the goroutine that reads the connection.
func IsInline(ctx context.Context) bool {
	r, ok := RequestFromContext(ctx)
	return ok && r.in.inline
}
