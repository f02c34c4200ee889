package amqprpc

import "context"

// HasStarted reports whether a handler works on the attempt that runs now, or has worked on
// it: a heartbeat of the handler has come ([WithLiveness]). False means that nothing is
// known. It is always false on a server. It is safe for concurrent use, while next runs, too.
func (r *Request) HasStarted() bool {
	if r.out == nil {
		return false
	}
	at, _ := r.out.call.lastHeartbeat()
	return at > 0
}

// InspectQueue asks the broker how many messages wait in the request's queue and how many
// consumers the queue has. Messages that a server has received do not count as waiting. It
// returns false if the broker does not say: there is no connection, there is no such queue,
// the user may not ask (RabbitMQ 4.3 requires a permission on the queue), or ctx has ended. It
// costs a round trip to the broker, and 5 s where the queue's node is dead. It always returns
// false on a server. It is safe for concurrent use, while next runs, too.
func (r *Request) InspectQueue(ctx context.Context) (messages, consumers int, ok bool) {
	if r.out == nil {
		return 0, 0, false
	}
	i := r.out.call.client.broker.Inspect(ctx, r.queue)
	return i.Messages, i.Consumers, i.Err == nil
}

// ClaimRetries says that the caller is middleware that retries the call, and returns its
// claim for [Request.MayRetry]. It costs next to nothing and is called before next.
func (r *Request) ClaimRetries() (claim uint32) {
	r.retriers++
	return r.retriers
}

// MayRetry reports whether no middleware further inward has claimed the retries of the call
// since. So one middleware of a chain retries, the innermost, and attempts do not multiply.
func (r *Request) MayRetry(claim uint32) bool { return r.retriers == claim }
