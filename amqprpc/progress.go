package amqprpc

import "context"

// HasStarted reports whether a heartbeat of a handler has come for the attempt that runs now
// ([WithLiveness]). The handler works on the attempt, or has worked on it. False means that
// nothing is known. On a server, HasStarted is always false. It is safe for concurrent use,
// even while next runs.
func (r *Request) HasStarted() bool {
	if r.out == nil {
		return false
	}
	at, _ := r.out.call.lastHeartbeat()
	return at > 0
}

// InspectQueue asks the broker how many messages wait in the request's queue and how many
// consumers the queue has. Messages that a server has received do not count as waiting.
//
// InspectQueue returns false if the broker does not answer. This is so if there is no
// connection, if the queue does not exist, if the user may not ask, or if ctx has ended.
// RabbitMQ 4.3 requires a permission on the queue. On a server, InspectQueue always returns
// false. It costs a round trip to the broker, and 5 s if the queue's node is dead. It is safe
// for concurrent use, even while next runs.
func (r *Request) InspectQueue(ctx context.Context) (messages, consumers int, ok bool) {
	if r.out == nil {
		return 0, 0, false
	}
	i := r.out.call.client.broker.Inspect(ctx, r.queue)
	return i.Messages, i.Consumers, i.Err == nil
}

// ClaimRetries claims the retries of the call for the middleware that calls it. It returns the
// claim for [Request.MayRetry]. Middleware that retries calls it before next.
func (r *Request) ClaimRetries() (claim uint16) {
	r.retriers++
	return r.retriers
}

// MayRetry reports whether no middleware further inward has claimed the retries of the call
// since. So only the innermost middleware of a chain retries, and attempts do not multiply.
func (r *Request) MayRetry(claim uint16) bool { return r.retriers == claim }
