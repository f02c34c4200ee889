// Package frame is the wire format of AMQP 0-9-1 as RabbitMQ speaks it: frames, methods,
// content headers and field tables.
//
// The package does not know the meaning of the methods. A [Reader] cuts a byte stream into
// frames without copying them. [ParseMethod] and the Parse methods of the hot types decode a
// method frame. [Properties] decodes a content header. Every Append function or method adds
// bytes to a slice that the caller owns. Reading and writing the frames that carry messages
// (basic.publish, basic.deliver, basic.ack, basic.nack, basic.reject, content header and
// body) needs no allocation.
//
// The package does not trust its input. It checks lengths before it uses them. Frames have a
// maximum size, and tables a maximum depth. The allocated memory is at most a small multiple
// of the received bytes.
//
// Sources: the AMQP 0-9-1 specification, sections 2.3 and 4.2, and RabbitMQ's errata
// (https://www.rabbitmq.com/amqp-0-9-1-errata) for the types of field values.
package frame
