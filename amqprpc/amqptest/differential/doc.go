// Package differential holds amqptest to what RabbitMQ really does.
//
// Each scenario is a script of AMQP operations. Run against a broker it yields a
// transcript: every frame that the script sends and every one that comes back, with all
// their fields, in an order that does not depend on chance. The transcripts of
// RabbitMQ 3.10 are kept in testdata/3.10, and where a later release answers differently
// its own in testdata/4.0 and testdata/4.3; VERSIONS.md has the gist.
//
// Plain go test runs every scenario on amqptest, following each release that has a
// transcript of it. With AMQPRPC_RABBITMQ=3.10, 4.0 or 4.3 it runs each on a private node
// of that release and on amqptest following it, and compares the two with each other and
// with the transcripts, so that these stay true. With -walks=200 besides, it makes up
// that many scenarios of two kinds at random. Transcripts are recorded, from the node and
// never from amqptest, by
//
//	AMQPRPC_RABBITMQ=3.10 go test ./amqprpc/amqptest/differential -update
//
// and then the same for 4.0 and 4.3, whose files hold only what differs.
//
// The client that runs the scenarios is one of its own, down to the bytes: it must see
// what drivers hide, send what they refuse to send, and share no mistake with the frame
// codec that amqptest uses.
package differential
