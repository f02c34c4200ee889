package amqprpc

import "time"

// countDelivery finds out how often a request was delivered, and refuses one that was
// delivered too often: it is taken to kill its servers. It reports whether the
// request, delivered again where the broker does not count, must go back to the
// queue with its count before it is handled, so that the count is there should it
// kill this server too.
func (in *inbound) countDelivery() (goesBack bool) {
	e, m := in.endpoint, &in.message
	cfg := &e.cfg
	in.deliveries = max(m.Deliveries, 1)
	if cfg.queue.Type == "quorum" {
		// Publishers can set the count as well, so that it counts only on queues that
		// are known to be of that type.
		in.deliveries = max(m.DeliveryCount, 0) + 1
	} else if in.redelivered {
		in.deliveries++
	}
	if in.redelivered {
		in.deliveries = max(in.deliveries, 2)
	}
	switch {
	case cfg.atMostOnce && in.deliveries > 1:
		in.refusal = Errorf(CodeAborted, "the request was delivered before and may have run; it runs at most once here")
	case cfg.maxDeliveries > 0 && in.deliveries > cfg.maxDeliveries:
		e.server.stats.poisoned.Add(1)
		e.server.log.Error("amqprpc: request refused: it was delivered too often without an answer",
			"queue", e.queue, "deliveries", in.deliveries-1, "message_id", m.MessageID)
		in.refusal = Errorf(CodeAborted, "the request was delivered %d times without an answer: it may have killed its servers", in.deliveries-1)
		in.deadLetter = true
	case cfg.maxDeliveries > 0 && in.redelivered && e.canRequeue():
		return true
	}
	return false
}

// canRequeue reports whether a request can go to the queue's tail without being lost
// there, and whether that is what counts its deliveries.
func (e *endpoint) canRequeue() bool {
	c := &e.cfg.queue
	return c.Type != "quorum" && c.MaxLength == 0 && c.MaxLengthBytes == 0 && !c.Passive &&
		c.Arguments["x-max-length"] == nil && c.Arguments["x-max-length-bytes"] == nil
}

// requeue puts a request at the tail of its queue, with its count, and reports
// whether that is all there is to do here. Where it cannot be put there it is handled
// uncounted: better once too often than never.
func (in *inbound) requeue() bool {
	properties := in.message.AppendRequeued(nil, in.deliveries, time.Now())
	return in.Requeue(properties, in.req.body) || in.Lost()
}
