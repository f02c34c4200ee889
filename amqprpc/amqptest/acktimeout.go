package amqptest

import "time"

// A consumer that does not acknowledge in time loses its channel
// (https://www.rabbitmq.com/docs/consumers#acknowledgement-timeout).

// timeAcknowledgements looks at the channel's oldest delivery after wait.
func (ch *channel) timeAcknowledgements(wait time.Duration) {
	ch.timing = true
	if ch.timeout == nil {
		ch.timeout = time.AfterFunc(wait, ch.onAckTimeout)
		return
	}
	ch.timeout.Reset(wait)
}

func (ch *channel) onAckTimeout() {
	b := ch.c.b
	b.lock()
	defer b.release()
	ch.timing = false
	oldest := ch.unacked.head
	if ch.closing || oldest == nil {
		return
	}
	limit := b.cfg.consumerLimit
	if left := limit - time.Duration(b.now()-oldest.at); left > 0 {
		ch.timeAcknowledgements(left)
		return
	}
	ch.c.raise(ch.id, fail(preconditionFailed, "delivery acknowledgement on channel %d timed out. "+
		"Timeout value used: %d ms. This timeout value can be configured, see consumers doc guide to learn more",
		ch.id, limit.Milliseconds()).silent())
}
