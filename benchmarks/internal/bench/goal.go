package bench

import (
	"slices"

	"github.com/bbebcec1/amqprpc-go/benchmarks/internal/contender"
)

// Goal is a number that the framework should reach. It is relative to the baseline unless the
// goal says otherwise.
type Goal struct {
	Measure string
	Unit    string // "×" or the counted thing
	Must    float64
	Aim     float64 // the same as Must if there is one bound
	AtMost  bool    // less is better
	of      func(r Results) (v, low, high float64, ok bool)
}

// Results maps each scenario to its result.
type Results map[string]*Result

// Verdict is the measured value of a goal.
type Verdict struct {
	Goal
	Value     float64
	Low, High float64 // quartiles of a ratio; zero for other values
	// BeyondBroker says that the framework missed Must, and so did contender.Least in the same
	// run: the broker does not leave that much to any client and server.
	BeyondBroker bool
}

// Met reports whether a bound is reached.
func (v *Verdict) Met(bound float64) bool { return v.reaches(v.Value, bound) }

func (g *Goal) reaches(value, bound float64) bool {
	if g.AtMost {
		return value <= bound
	}
	return value >= bound
}

// Judge returns a verdict for each goal that the results cover.
func Judge(r Results) []Verdict {
	var all []Verdict
	for _, g := range fleetGoals() {
		if v, low, high, ok := g.of(r); ok {
			least, _, _, known := g.least(r)
			beyond := known && !g.reaches(v, g.Must) && !g.reaches(least, g.Must)
			all = append(all, Verdict{Goal: g.Goal, Value: v, Low: low, High: high, BeyondBroker: beyond})
		}
	}
	for _, g := range goals() {
		if v, low, high, ok := g.of(r); ok {
			all = append(all, Verdict{Goal: g, Value: v, Low: low, High: high})
		}
	}
	return all
}

// against returns the ratio of two series in one case of a scenario.
func against(scenario, kase, name, base string, m Metric) func(Results) (float64, float64, float64, bool) {
	return ratio(scenario, name, kase, base, kase, m)
}

// ratio returns the ratio of one series in one case to another series in another case.
func ratio(scenario, name, kase, base, baseCase string, m Metric) func(Results) (float64, float64, float64, bool) {
	return func(r Results) (float64, float64, float64, bool) {
		a, b := r[scenario].Find(name, kase), r[scenario].Find(base, baseCase)
		v, ok := a.Ratio(b, m)
		low, high := a.Spread(b, m)
		return v, low, high, ok
	}
}

// firstCase is against for a scenario with a single case.
func firstCase(scenario, name, base string, m Metric) func(Results) (float64, float64, float64, bool) {
	return func(r Results) (float64, float64, float64, bool) {
		res := r[scenario]
		if res == nil || len(res.Series) == 0 {
			return 0, 0, 0, false
		}
		return against(scenario, res.Series[0].Case, name, base, m)(r)
	}
}

// value returns a number that is not a ratio.
func value(scenario, kase, name string, m Metric) func(Results) (float64, float64, float64, bool) {
	return func(r Results) (float64, float64, float64, bool) {
		v, ok := r[scenario].Find(name, kase).Median(m)
		return v, 0, 0, ok
	}
}

// cases returns the ratio of one series to itself in another case.
func cases(scenario, name, kase, baseCase string, m Metric) func(Results) (float64, float64, float64, bool) {
	return ratio(scenario, name, kase, name, baseCase, m)
}

func goals() []Goal {
	const fw, base = contender.Framework, contender.Baseline
	return slices.Concat(streamGoals(), []Goal{
		{"memory of an idle queue", "KiB", 16, 8, true, value("idle", QueuesCase, fw, Memory)},
		{"goroutines of an idle queue", "", 3, 2, true, value("idle", QueuesCase, fw, Goroutines)},
		{"until 500 queues are ready", "ms", 1000, 500, true, value("idle", QueuesCase, fw, Ready)},
		{"memory of an idle client", "KiB", 32, 24, true, value("idle", ClientsCase, fw, Memory)},
		{"goroutines of an idle client", "", 6, 5, true, value("idle", ClientsCase, fw, Goroutines)},
		{"calls/s at 64 callers, defaults (confirms on)", "×", 1.35, 1.6, false, against("throughput", "64 callers", fw, base, CallsPerSecond)},
		{"calls/s at 256 callers, defaults (confirms on)", "×", 1.35, 1.6, false, against("throughput", "256 callers", fw, base, CallsPerSecond)},
		{"calls/s at 64 callers, confirms off", "×", 1.55, 1.8, false, against("throughput", "64 callers", unconfirmed, base, CallsPerSecond)},
		{"calls/s at 256 callers, confirms off", "×", 1.55, 1.8, false, against("throughput", "256 callers", unconfirmed, base, CallsPerSecond)},
		{"calls/s at 64 callers, against the same wire choices by hand", "×", 1, 2, false, against("throughput", "64 callers", fw, contender.ByHand, CallsPerSecond)},
		{"calls/s at 256 callers, against the same wire choices by hand", "×", 1, 2, false, against("throughput", "256 callers", fw, contender.ByHand, CallsPerSecond)},
		{"calls/s at 64 callers, against the tutorial", "×", 4.5, 6, false, against("throughput", "64 callers", fw, contender.Tutorial, CallsPerSecond)},
		{"p50 at 1 caller", "×", 1.1, 1, true, against("throughput", "1 caller", fw, base, P50)},
		{"CPU of client and server per call, 64 callers", "×", 0.65, 0.5, true, against("throughput", "64 callers", fw, base, CPUPerCall)},
		{"allocations per call beyond the driver's own, 64 callers", "", 8, 7, true, value("allocations", "64 callers", fw, OwnAllocs)},
		{"calls/s with one handler in 500 taking 100 ms, against the baseline without", "×", 1.15, 1.4, false, against("slow", "64 callers", fw+", 1 in 500 slow", base, CallsPerSecond)},
		{"heap per pending call", "bytes", 1024, 900, true, value("memory", HeldCase, fw, HeapPerCall)},
		{"calls/s at 1024 callers, against its own at 64", "×", 0.9, 1, false, cases("throughput", fw, "1024 callers", "64 callers", CallsPerSecond)},
		{"MB/s of 1 MiB payloads", "×", 1.4, 1.6, false, against("payload", "1 MiB", fw, base, MBPerSecond)},
		{"p99 at half load (open loop)", "×", 1, 0.7, true, firstCase("latency", fw, base, P99)},
		{"goodput at twice the capacity, against its peak", "×", 0.95, 1, false, cases("overload", fw, FloodCase, PeakCase, CallsPerSecond)},
		{"the same on a bounded queue", "×", 0.95, 1, false, cases("overload", boundedQueue, FloodCase, PeakCase, CallsPerSecond)},
	})
}
