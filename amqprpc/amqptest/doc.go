// Package amqptest is an AMQP 0-9-1 broker inside the process of the test, as
// net/http/httptest is a web server inside the test. Code that uses RabbitMQ can be tested with it without
// Docker, in milliseconds, and with the client library that it uses in production.
//
//	b := amqptest.Start(t)
//	conn, err := amqp.Dial(b.URL())
//
// [NewBroker] does the same outside of tests. The program amqprpc/amqptest/cmd/amqptest
// serves other processes and languages. The broker keeps everything in memory. After
// Close, nothing is left.
//
// # Features
//
// The broker has exchanges of the four types with bindings between them, classic queues with
// TTL, expiry, length limits, priorities, dead-lettering and single active consumers, quorum
// queues with redelivery counts, publisher confirms, transactions, direct reply-to, consumer
// priorities, alarms, users, permissions, virtual hosts and policies. Where the specification
// and RabbitMQ differ, it behaves as RabbitMQ. Every exception has RabbitMQ's code, text, class
// and method. A suite of scenarios compares every frame with those of RabbitMQ 3.10, 4.0 and
// 4.3.
//
// # Faults
//
// A test can freeze, reset or half-open connections, in one direction or both
// ([Broker.Freeze], [Broker.CutConnections], [Broker.HalfOpen], and the same on one
// [Connection]). It can refuse new connections ([Broker.RefuseConnections]), block publishers
// ([Broker.RaiseAlarm], [Broker.BlockPublishers]), cancel consumers ([VHost.CancelConsumer]),
// and stop, kill and restart the broker ([Broker.Stop], [Broker.Kill], [Broker.Restart]). It can
// lose, copy and delay messages, and refuse, withhold and delay confirms ([Broker.Tamper]).
//
// [Broker.Queue] and similar methods return the broker's state. [Broker.Record] records events in
// order.
//
// With [WithoutListener] and [Broker.Dial] the broker runs in a [testing/synctest] bubble,
// where tests of heartbeats, TTLs and deadlines take no time.
//
// # Administration
//
// A test can do at run time what an operator does: add and delete users, permissions and
// virtual hosts ([Broker.SetUser], [Broker.SetPermissions], [Broker.AddVHost]), set policies and
// a default queue type ([VHost.SetPolicy], [VHost.SetDefaultQueueType]), delete and purge queues
// ([VHost.DeleteQueue], [VHost.PurgeQueue]), and import a definitions file
// ([Broker.ImportDefinitions]). Package amqptest/management serves a part of the management
// HTTP API.
//
// # Releases
//
// The broker follows RabbitMQ 3.10, unless [Follow] says otherwise. The releases differ in these
// points:
//
//   - A quorum queue without x-delivery-limit has no limit in 3.10, and a limit of 20 since
//     4.0. Without a limit, a refused message goes to the end of the queue. Only in 3.10 does
//     basic.get set x-delivery-count to 0 at the first delivery. Since 4.3 basic.nack does not
//     count, and x-acquired-count counts how often a message was handed out.
//   - The greatest message is 128 MiB in 3.10 and 16 MiB since 4.0.
//   - Since 4.0 dead letters have x-last-death-… headers and keep CC, and the broker ignores
//     x-death entries that a client wrote. In 3.10 it merges and counts them. Since 4.3
//     dead letters that were rejected with basic.reject are redelivered.
//   - Before 4.3 a reply to a malformed direct reply-to address closes the publisher's
//     connection. In 3.10 an address of another node, or of a process with too high a number,
//     does the same. Since 4.3 such a reply is unroutable. A mandatory reply to a valid address
//     is never returned, and replies have counted delivery tags.
//   - Since 4.0 a headers exchange distinguishes floats from integers, and reply texts show names
//     that are not UTF-8 as Latin-1. Since 4.3 surrogates are not UTF-8.
//   - An unknown exchange type closes the connection (503) in 3.10, and the channel (406) since
//     4.0.
//   - 3.10 refuses unknown delivery modes. Since 4.0 they are passed on, and an expiration loses
//     its leading zeros.
//   - Since 4.3 basic.qos ignores global, frame_max is at least 8192, and a passive declaration
//     needs one of the permissions for the queue.
//   - Since 4.0 classic queues take x-queue-leader-locator. Since 4.3 quorum queues alone take
//     x-consumer-timeout, and classic queues have no version 1.
//
// # Differences from RabbitMQ
//
//   - Nothing is on disk. Durable queues and persistent messages survive [Broker.Stop],
//     [Broker.Kill] and [Broker.Restart], and nothing else. Quorum queues have one replica.
//   - There are no streams, plugins, operator policies, topic permissions or AMQP 1.0.
//   - Operations are atomic and in one order. A RabbitMQ node does some things a moment later: routing,
//     counts, and confirms of persistent messages. This broker has done them before the client's
//     next operation.
//   - RabbitMQ waits three seconds before it hangs up on a client that cannot log in. This broker
//     hangs up at once, unless [WithLoginDelay] says otherwise.
//   - If consumers of several queues wait for one channel's global prefetch, RabbitMQ chooses the
//     next queue at random. Here the queues take turns.
//   - A consumer that does not acknowledge in time loses its channel when the time is up, not
//     within a minute of it.
//   - A delivery to a client that does not read counts as unsent after 256 KiB rather than 200
//     messages. Direct replies to such a client are dropped after 32 MiB.
//   - Queued messages raise the memory alarm ([WithMemoryLimit]), not the memory of the process.
//
// # Concurrency
//
// Everything exported is safe for concurrent use.
package amqptest
