package bench

import "github.com/bbebcec1/amqprpc-go/benchmarks/internal/contender"

// windowKiB is the window of a stream by default.
const windowKiB = 4096

// streamGoals are the goals of streams, cancels and broadcasts.
func streamGoals() []Goal {
	const fw, fire = contender.Framework, contender.Firehose
	goals := []Goal{
		{"messages/s of a stream, 64 B, against a firehose", "×", 1, 3, false, against("streams", SmallCase, fw, fire, ItemsPerSecond)},
		{"MB/s of a stream, 64 KiB of raw bytes, against a firehose", "×", 0.9, 1, false, against("streams", LargeCase, fw, fire, MBPerSecond)},
		{"messages/s of 100 streams, 64 B, against a firehose", "×", 1, 3, false, against("streams", HundredCase, fw, fire, ItemsPerSecond)},
		{"p50 of opening a stream, to its first message, against a call", "×", 1.2, 1, true, ratio("turns", OpenTurn, TurnsCase, CallTurn, TurnsCase, P50)},
		{"the same, 3 ms apart", "×", 1.2, 1, true, ratio("turns", OpenTurn, PacedCase, CallTurn, PacedCase, P50)},
		{"p50 of a message and its echo on a stream, against a call", "×", 1.15, 1.05, true, ratio("turns", EchoTurn, TurnsCase, CallTurn, TurnsCase, P50)},
		{"state messages for 100 messages of 64 B", "", 1, 0.2, true, value("streams", SmallCase, fw, StatesPerItem)},
		{"p99 of a break, 64 B messages", "ms", 10, 3, true, value("cancel", BreakSmall, fw, EndsP99)},
		{"p99 of a break, 64 KiB messages", "ms", 25, 10, true, value("cancel", BreakLarge, fw, EndsP99)},
		{"p99 of the cancel of a call", "ms", 10, 3, true, value("cancel", CancelCall, fw, EndsP99)},
		{"p99 of a call beside 1 stream, more than alone", "ms", 10, 5, true, more("beside", fw, BesideOne, AloneCase, P99)},
		{"p99 of a call beside 100 streams, more than alone", "ms", 50, 20, true, more("beside", fw, BesideMany, AloneCase, P99)},
		{"memory of an idle stream, both sides", "KiB", 8, 4, true, sum("held", fw, IdleCase, ClientHeap, ClientStacks, ServerHeap)},
	}
	for _, x := range []struct {
		kase, name string
		window     float64 // and a message
	}{{StandSmallCase, "64 B messages", windowKiB + 0.1}, {StandLargeCase, "64 KiB messages", windowKiB + 64}} {
		goals = append(goals,
			Goal{"held by a receiver that stands still, " + x.name, "KiB", x.window, x.window, true, value("held", x.kase, fw, HeldByReceiver)},
			Goal{"held by sender and broker meanwhile, " + x.name, "KiB", windowKiB, windowKiB, true, sum("held", fw, x.kase, HeldBySender, HeldByBroker)},
			Goal{"growth of these meanwhile, " + x.name, "KiB", 16, 4, true, value("held", x.kase, fw, HeldMore)})
	}
	return append(goals, []Goal{
		{"messages lost, doubled or out of order while connections are cut", "", 0, 0, true, value("cuts", CutCase, fw, Wrong)},
		{"until a client knows that its server was killed", "s", 47, 46, true, value("kill", KilledServer, fw, Seconds)},
		{"until a server knows that its client was killed", "s", 47, 46, true, value("kill", KilledClient, fw, Seconds)},
		{"the same if the client's queue is gone", "s", 1, 0.1, true, value("kill", KilledGone, fw, Seconds)},
		{"goroutines left of a stream whose server was killed", "", 0, 0, true, value("kill", KilledServer, fw, MoreRoutines)},
		{"goroutines left of a stream whose client was killed", "", 0, 0, true, value("kill", KilledClient, fw, MoreRoutines)},
		{"a call of 100 instances, beside the slowest handler", "ms", 80, 60, true, value("broadcast", InstancesCase, fw, WholeRange)},
	}...)
}

// more returns by how many milliseconds a latency is longer in one case than in another.
func more(scenario, name, kase, baseCase string, m Metric) func(Results) (float64, float64, float64, bool) {
	return func(r Results) (float64, float64, float64, bool) {
		v, ok := r[scenario].Find(name, kase).Median(m)
		base, okBase := r[scenario].Find(name, baseCase).Median(m)
		return (v - base) / 1000, 0, 0, ok && okBase
	}
}

// sum returns several metrics of a series together.
func sum(scenario, name, kase string, metrics ...Metric) func(Results) (float64, float64, float64, bool) {
	return func(r Results) (total, low, high float64, ok bool) {
		for _, m := range metrics {
			v, has := r[scenario].Find(name, kase).Median(m)
			if !has {
				return 0, 0, 0, false
			}
			total += v
		}
		return total, 0, 0, true
	}
}
