// Package faultsuite tests the guarantees of amqprpc under faults. Several clients call
// several servers while faults are injected into everything between them. A history
// records the calls, the executions and the answers. Then a checker compares the history
// with the guarantees of docs/guarantees.md.
//
// A run consists of
//
//   - a workload (workload.go): calls and notifications with unique IDs, in every reply
//     mode, idempotent or not, some of the idempotent ones attempted twice at once,
//     persistent or not, on at-least-once and at-most-once queues, classic and quorum;
//   - in the workload, too: streams of all kinds (streamcalls.go), which are left, cancelled or
//     broken off by their source, and broadcasts;
//   - servers (fleet.go): in this process, and as child processes, which can be killed
//     with SIGKILL and which log their executions in a journal (journal.go);
//   - faults (harm.go), chosen by a seed;
//   - a calm after the faults, in which handlers have a second to learn that their callers
//     are gone;
//   - the checker (check.go, checkstream.go), a pure function of the history (history.go).
//
// # How to run it
//
// The ordinary tests make many small runs on amqptest in virtual time, and one run of a
// few seconds through a proxy that injects faults into connections. If AMQPRPC_RABBITMQ is
// 3.10, 4.0 or 4.3, the same workload runs for some seconds on a private node of that
// version, and the node's process suffers faults, too. Then only the tests on nodes run,
// unless -run names others.
//
// Use this command for a long run. The duration is that of the traffic:
//
//	AMQPRPC_RABBITMQ=4.0 AMQPRPC_FAULTS_DURATION=1h go test -count=1 -timeout 0 \
//	    -run TestOnRabbitMQ/Faults ./amqprpc/internal/testing/faultsuite
//
// Use this command for many seeds in virtual time:
//
//	AMQPRPC_FAULTS_SEEDS=10000 go test -count=1 -timeout 0 -run TestVirtualFaults \
//	    ./amqprpc/internal/testing/faultsuite
//
// A failure prints its seed. For each broken guarantee it prints the shortest history that
// shows the failure: the events of one call, and the faults between them.
// AMQPRPC_FAULTS_SEED runs one seed alone. In virtual time, the same seed repeats the same
// faults at the same moments of the same traffic; only the order of goroutines may differ.
// On real brokers, the seed repeats only the choice of faults.
package faultsuite
