// Package differential compares amqptest with RabbitMQ.
//
// Each scenario is a script of AMQP operations. A run of a scenario on a broker produces a
// transcript. The transcript has every frame that the script sends and every frame that
// comes back, with all fields, in an order that does not depend on chance. The transcripts
// of RabbitMQ 3.10 are in testdata/3.10. If a later release answers differently, its own
// transcript is in testdata/4.0 or testdata/4.3. VERSIONS.md has a summary.
//
// An ordinary go test runs every scenario on amqptest. It follows each release that has a
// transcript of the scenario. With AMQPRPC_RABBITMQ=3.10, 4.0 or 4.3, the test also runs
// each scenario on a private node of that release. It then compares amqptest, the node and
// the transcript, so the transcripts stay true. With -walks=200 in addition, the test makes
// 200 random scenarios of two kinds. This command records transcripts, always from the node
// and never from amqptest:
//
//	AMQPRPC_RABBITMQ=3.10 go test ./amqprpc/amqptest/differential -update
//
// Then run it for 4.0 and 4.3. The files of these releases have only the transcripts that
// differ.
//
// The scenarios run on a client that belongs to this package. It does its own encoding,
// because it must see frames that drivers hide, and send frames that drivers refuse. Also,
// it must not share a mistake with the frame codec that amqptest uses.
package differential
