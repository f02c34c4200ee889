// Package faultsuite proves what amqprpc guarantees. It makes traffic of several
// clients with several servers, does harm to everything between them, keeps a
// history of what was called, what ran and what was answered, and then has a
// checker read the history against the guarantees of docs/guarantees.md.
//
// A run is made of
//
//   - a workload (workload.go): calls and notifications with ids of their own,
//     in every reply mode, idempotent or not, persistent or not, on queues of
//     at least and at most once, classic and quorum;
//   - servers (fleet.go): in the same process, and as child processes that can be
//     killed with -9 and leave a journal of what they ran (journal.go);
//   - faults (harm.go), drawn from a seed;
//   - the checker (check.go), a pure function over the history (history.go).
//
// # How to run it
//
// As part of the ordinary tests there are hundreds of small runs on amqptest in
// virtual time, and a few seconds through a proxy that harms connections. With
// AMQPRPC_RABBITMQ set to 3.10, 4.0 or 4.3 the same workload runs for some
// seconds on a private node of that version, whose process is harmed as well.
//
// A long run is one command; the duration is that of the traffic:
//
//	AMQPRPC_RABBITMQ=4.0 AMQPRPC_FAULTS_DURATION=1h go test -count=1 -timeout 0 \
//	    -run TestOnRabbitMQ/Faults ./amqprpc/internal/testing/faultsuite
//
// and many seeds in virtual time another:
//
//	AMQPRPC_FAULTS_SEEDS=10000 go test -count=1 -timeout 0 -run TestVirtualFaults \
//	    ./amqprpc/internal/testing/faultsuite
//
// A failure prints its seed, and for each guarantee that was broken the shortest
// history that shows it: the events of one call, with the faults between them.
// AMQPRPC_FAULTS_SEED runs that seed alone. In virtual time it repeats the same
// faults at the same moments of the same traffic, but for the order in which
// goroutines run; against real brokers it repeats the choice of faults.
package faultsuite
