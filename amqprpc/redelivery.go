package amqprpc

import (
	"maps"
	"strconv"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// headerDeliveryCount is how a quorum queue tells how often it delivered a
// message before (https://www.rabbitmq.com/docs/quorum-queues#poison-message-handling).
// Publishers can set it as well, so it counts only on queues that are known to be
// of that type.
const headerDeliveryCount = "x-delivery-count"

// countDelivery finds out how often a request was delivered and refuses one that
// was delivered too often: it is taken to kill its servers. It reports whether the
// request, delivered once more where the broker does not count, must go back to
// the queue with its count before it is handled, so that the count is there should
// it kill this server too.
func (q *servedQueue) countDelivery(in *inbound) (goesBack bool) {
	cfg := &q.endpoint.cfg
	in.deliveries = 1
	counted := in.d.Headers[headerDeliveries]
	if n, ok := integerField(counted); ok {
		in.deliveries = int(min(max(n, 1), 1<<20))
	}
	if cfg.queue.Type == "quorum" {
		in.deliveries = 1
		if n, ok := integerField(in.d.Headers[headerDeliveryCount]); ok {
			in.deliveries = int(min(max(n, 0), 1<<20)) + 1
		}
	} else if in.d.Redelivered {
		in.deliveries++
	}
	if in.d.Redelivered {
		in.deliveries = max(in.deliveries, 2)
	}
	switch {
	case cfg.atMostOnce && in.deliveries > 1:
		in.refusal = Errorf(CodeAborted, "the request was delivered before and may have run; it runs at most once here")
	case cfg.maxDeliveries > 0 && in.deliveries > cfg.maxDeliveries:
		q.server.stats.poisoned.Add(1)
		q.server.log.Error("amqprpc: request refused: it was delivered too often without an answer",
			"queue", q.endpoint.queue, "deliveries", in.deliveries-1, "message_id", in.d.MessageId)
		in.refusal = Errorf(CodeAborted, "the request was delivered %d times without an answer: it may have killed its servers (WithMaxDeliveries)", in.deliveries-1)
		in.deadLetter = true
	case cfg.maxDeliveries > 0 && in.d.Redelivered && q.canSendBack():
		return true
	}
	return false
}

// canSendBack reports whether a request can go to the queue's tail without being
// lost there, and whether that is what counts its deliveries.
func (q *servedQueue) canSendBack() bool {
	c := &q.endpoint.cfg.queue
	return c.Type != "quorum" && c.MaxLength == 0 && c.MaxLengthBytes == 0 && !c.Passive &&
		c.Arguments["x-max-length"] == nil && c.Arguments["x-max-length-bytes"] == nil
}

// headers returns the request's headers as a table.
func (in *inbound) headers() amqp.Table {
	if in.plain {
		h := amqp.Table{headerDeadline: in.stated}
		if in.batches {
			h[headerBatches] = true
		}
		return h
	}
	return in.d.Headers
}

// sentBack is the request as it goes back to its queue.
func (in *inbound) sentBack() amqp.Publishing {
	d, headers := &in.d, maps.Clone(in.headers())
	if headers == nil {
		headers = amqp.Table{}
	}
	delete(headers, "CC") // the broker would copy the message to the queues named there
	delete(headers, "BCC")
	headers[headerDeliveries] = int32(in.deliveries)
	p := amqp.Publishing{
		Headers: headers, ContentType: d.ContentType, ContentEncoding: d.ContentEncoding,
		DeliveryMode: d.DeliveryMode, Priority: d.Priority, CorrelationId: d.CorrelationId, ReplyTo: d.ReplyTo,
		Expiration: d.Expiration, MessageId: d.MessageId, Timestamp: d.Timestamp, Type: d.Type, AppId: d.AppId,
		Body: d.Body,
	}
	if ms, ok := in.statedDeadline(); ok && in.expires >= 0 {
		left := time.Until(time.UnixMilli(ms)).Milliseconds()
		p.Expiration = strconv.FormatInt(min(max(left, 1), in.expires.Milliseconds()), 10)
	}
	return p
}
