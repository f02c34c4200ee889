package amqprpc

import (
	"fmt"

	amqp "github.com/rabbitmq/amqp091-go"
)

// bounceExchange is where queues with [Queue.Bounce] dead-letter to, and where
// clients with [WithBounce] bind their reply queues, by a header of their requests.
const bounceExchange = "amqprpc.bounce"

const headerClient = "rpc-client" // on a request: whom to bounce it to

// WithBounce lets requests that a queue with [Queue.Bounce] cannot keep come back,
// as errors: deadline_exceeded for one that expired in the queue, resource_exhausted
// for one that was dropped from a full queue, aborted for one that was rejected or
// delivered too often. The outcome is unknown: what came back may have been
// delivered before. It needs a reply queue, and so does not go together with
// [ReplyDirect].
func WithBounce() ClientOption {
	return clientOption(func(c *clientConfig) { c.bounce = true })
}

func declareBounce(ch *amqp.Channel) error {
	if err := ch.ExchangeDeclare(bounceExchange, amqp.ExchangeHeaders, true, false, false, false, nil); err != nil {
		return fmt.Errorf("declare the exchange %s: %w", bounceExchange, err)
	}
	return nil
}

// bindBounce has the reply queue get what is bounced to this client.
func (ep *clientEpoch) bindBounce() error {
	if err := declareBounce(ep.replies.Channel); err != nil {
		return err
	}
	err := ep.replies.QueueBind(ep.replyTo, "", bounceExchange, false, amqp.Table{
		"x-match": "all", headerClient: ep.client.prefix,
	})
	if err != nil {
		return fmt.Errorf("bind the reply queue to %s: %w", bounceExchange, err)
	}
	return nil
}

// bounced is the error of a request that came back instead of its answer.
func bounced(queue string, r *wireReply) *Error {
	reason, _ := r.headers["x-first-death-reason"].(string)
	code := CodeAborted
	switch reason {
	case "expired":
		code = CodeDeadlineExceeded
	case "maxlen":
		code = CodeResourceExhausted
	}
	return localError(code, OutcomeUnknown, "call %s: the request came back from the queue: %s", queue, reason)
}
