package bench

import "github.com/bbebcec1/amqprpc-go/benchmarks/internal/contender"

// fleetGoal is a goal, and what the least client and server reach of the same measure.
type fleetGoal struct {
	Goal
	least func(Results) (v, low, high float64, ok bool)
}

// fleetGoals are the goals of the scenario fleet.
func fleetGoals() []fleetGoal {
	const fw, base = contender.Framework, contender.Baseline
	var goals []fleetGoal
	for _, s := range fleetShapes() {
		of := func(name string, m Metric) func(Results) (float64, float64, float64, bool) {
			return against("fleet", s.name, name, base, m)
		}
		goals = append(goals,
			fleetGoal{Goal{"calls/s, " + s.name, "×", 1, 1.25, false, of(fw, CallsPerSecond)}, of(contender.Least, CallsPerSecond)},
			fleetGoal{Goal{"calls/s without confirms, " + s.name, "×", 1.2, 1.4, false, of(unconfirmed, CallsPerSecond)}, of(leastUnconfirmed, CallsPerSecond)},
			fleetGoal{Goal{"CPU of client and server per call, " + s.name, "×", 0.8, 0.6, true, of(fw, CPUPerCall)}, of(contender.Least, CPUPerCall)})
	}
	return goals
}
