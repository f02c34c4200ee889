// Package amqptest is an AMQP 0-9-1 broker inside the test's own process, as
// net/http/httptest is a web server: code that uses RabbitMQ can be tested
// against it without Docker, in milliseconds, with the client library that it
// uses in production.
//
//	b := amqptest.Start(t)
//	conn, err := amqp.Dial(b.URL())
//
// [NewBroker] does the same outside of tests, and the program
// amqprpc/amqptest/cmd/amqptest serves other processes and languages. The broker
// keeps everything in memory, and nothing after Close.
//
// # What it is like
//
// It speaks all of AMQP 0-9-1 that RabbitMQ does, and where the specification
// and RabbitMQ differ it does as RabbitMQ: exchanges of the four types with
// bindings between them, classic queues with TTL, expiry, limits, priorities,
// dead letters and single active consumers, queues of type quorum with
// redelivery counts, confirms, transactions, direct reply-to, consumer
// priorities, connection.blocked, permissions, and every exception with
// RabbitMQ's code, text, class and method. A suite of scenarios compares every
// frame with those of RabbitMQ 3.10, 4.0 and 4.3.
//
// # What a test can do to it
//
// Connections can be frozen, reset or half-open in one direction or both
// ([Broker.Freeze], [Broker.CutConnections], [Broker.HalfOpen], and the same on
// one [Connection]), new ones refused ([Broker.RefuseConnections]), publishers
// blocked ([Broker.RaiseAlarm], [Broker.BlockPublishers]), consumers cancelled
// ([Broker.CancelConsumer]) and the broker stopped, killed and restarted ([Broker.Stop],
// [Broker.Kill], [Broker.Restart]).
// Messages can be lost, doubled and delayed, and confirms refused, withheld and
// delayed ([Broker.Tamper]). [Broker.Queue] and its like look at the state, and
// [Broker.Record] keeps what passed, in order.
//
// What an operator does at run time a test can do too: add and delete users, permissions and
// virtual hosts ([Broker.SetUser], [Broker.SetPermissions], [Broker.AddVHost]), set policies
// and a default type of queues ([VHost.SetPolicy], [VHost.SetDefaultQueueType]), delete and
// purge queues ([VHost.DeleteQueue]), and import a definitions file
// ([Broker.ImportDefinitions]). Package amqptest/management serves a sliver of the management
// HTTP API.
//
// With [WithoutListener] and [Broker.Dial] the broker lives in a
// [testing/synctest] bubble: tests of heartbeats, TTLs and deadlines then take
// no time.
//
// # Releases
//
// It follows RabbitMQ 3.10 unless [Follow] says otherwise. What differs:
//
//   - A quorum queue without x-delivery-limit has no limit in 3.10 and 20 since
//     4.0; without a limit, a refused message goes to its end. basic.get says
//     x-delivery-count: 0 in 3.10 only. Since 4.3 basic.nack does not count, and
//     x-acquired-count tells how often a message was handed out.
//   - The greatest message is 128 MiB in 3.10 and 16 MiB since 4.0.
//   - Since 4.0 dead letters have x-last-death-… headers and keep CC, and what a
//     client wrote into x-death counts for nothing. Since 4.3 those that were
//     rejected with basic.reject are redelivered.
//   - A direct reply-to address that is malformed is fatal to the publisher's connection
//     before 4.3, and in 3.10 one of another node or of a process with too high a number
//     too; since 4.3 such a reply is unroutable, a mandatory reply to a sound address is
//     never returned, and replies count delivery tags.
//   - Since 4.0 a headers exchange takes no float for an integer. A reply text with a name
//     that is not UTF-8 has it as Latin-1 since 4.0. Since 4.3 surrogates are not UTF-8.
//   - An unknown type of exchange is a connection exception (503) in 3.10 and a
//     channel exception (406) since 4.0.
//   - Unknown delivery modes are refused in 3.10 and passed on since 4.0, which
//     also strips an expiration of leading zeros.
//   - Since 4.3 basic.qos takes no notice of global, frame_max is at least 8192,
//     and a passive declaration needs a right to the queue, whichever.
//
// # What differs from RabbitMQ
//
//   - Nothing is on disk. Durable queues and persistent messages survive
//     [Broker.Restart] and nothing else. Quorum queues have one replica.
//   - There are no streams, plugins, operator policies, topic permissions or AMQP 1.0.
//   - Operations are atomic and in one order. What a node does a moment later
//     (routing, counts, confirms of persistent messages) has happened here when
//     the client's next operation runs.
//   - Where RabbitMQ makes a client that cannot log in wait for three seconds before it hangs
//     up, it hangs up at once, unless [WithLoginDelay] says otherwise.
//   - Of several queues whose consumers wait for a channel's global prefetch, RabbitMQ lets one
//     go on that it draws; here they take turns.
//   - A consumer that does not acknowledge in time loses its channel when the
//     time is up, not within a minute of it.
//   - A delivery to a client that does not read counts as unsent after 256 KiB
//     rather than 200 messages, and direct replies to it are dropped after 32 MiB.
//   - The memory alarm is set off by queued messages ([WithMemoryLimit]) and not
//     by the process's memory.
//
// # Concurrency
//
// Everything exported is safe for concurrent use.
package amqptest
