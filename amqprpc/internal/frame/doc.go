// Package frame is the wire format of AMQP 0-9-1 as RabbitMQ speaks it: frames,
// methods, content headers and field tables.
//
// It knows nothing of what the methods mean. A [Reader] cuts a byte stream into
// frames without copying them; [ParseMethod] and the Parse methods of the hot
// types decode a method frame; [Properties] decodes a content header, and every
// Append function or method adds bytes to a slice that the caller owns. The frames that
// carry messages (basic.publish, basic.deliver, basic.ack, basic.nack,
// basic.reject, content header and body) are read and written without a single
// allocation.
//
// Nothing in it trusts its input: lengths are checked before they are used,
// frames have a greatest size, tables a greatest depth, and no input can make
// it allocate more than a small multiple of the bytes that came in.
//
// Sources: the AMQP 0-9-1 specification, sections 2.3 and 4.2, and RabbitMQ's
// errata (https://www.rabbitmq.com/amqp-0-9-1-errata) for the types of field
// values.
package frame
