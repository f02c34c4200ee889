package otelrpc

import "go.opentelemetry.io/otel/attribute"

// The attributes of spans and metrics. The module spells them itself: the RPC conventions
// became stable in version 1.45, and the semconv packages of OpenTelemetry for Go end at 1.43,
// where rpc.status_code still has another name.
const (
	schemaURL = "https://opentelemetry.io/schemas/1.45.0"

	keySystem     = attribute.Key("rpc.system.name")
	keyMethod     = attribute.Key("rpc.method")
	keyStatusCode = attribute.Key("rpc.status_code")
	keyErrorType  = attribute.Key("error.type")

	keyMessagingSystem = attribute.Key("messaging.system")
	keyDestination     = attribute.Key("messaging.destination.name")
	keyMessageID       = attribute.Key("messaging.message.id")
	keyConversationID  = attribute.Key("messaging.message.conversation_id")
	keyOperationName   = attribute.Key("messaging.operation.name")
	keyOperationType   = attribute.Key("messaging.operation.type")

	keyKind        = attribute.Key("amqprpc.kind")
	keyOutcome     = attribute.Key("amqprpc.outcome")
	keyAttempt     = attribute.Key("amqprpc.attempt")
	keyResent      = attribute.Key("amqprpc.resent")
	keyRedelivered = attribute.Key("amqprpc.redelivered")
	keyQueueTime   = attribute.Key("amqprpc.queue_time")
)

const (
	systemName      = "amqprpc"
	messagingSystem = "rabbitmq"
)

// Metric names, and what the conventions advise for them.
const (
	clientDuration = "rpc.client.call.duration"
	serverDuration = "rpc.server.call.duration"
	queueDuration  = "amqprpc.server.queue.duration"
)

// buckets are the boundaries that the conventions advise, in seconds.
func buckets() []float64 {
	return []float64{0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10}
}
