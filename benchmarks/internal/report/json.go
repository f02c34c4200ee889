package report

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/bbebcec1/amqprpc-go/benchmarks/internal/bench"
)

// Circumstances describe a run: its time, its machine and its software.
type Circumstances struct {
	Date   time.Time     `json:"date"`
	Go     string        `json:"go"`
	System string        `json:"system"`
	CPUs   int           `json:"cpus"`
	Driver string        `json:"driver"`
	Broker string        `json:"broker"`
	Commit string        `json:"commit,omitempty"` // of this repository, if the build knows the commit
	Rounds int           `json:"rounds"`
	Round  time.Duration `json:"round"`
}

const driverModule = "github.com/rabbitmq/amqp091-go"

// Now returns the circumstances of a run that ends now.
func Now(c *bench.Config, broker string) Circumstances {
	at := Circumstances{
		Date: time.Now().UTC(), Go: runtime.Version(), System: runtime.GOOS + "/" + runtime.GOARCH,
		CPUs: runtime.NumCPU(), Broker: broker, Rounds: c.Rounds, Round: c.Round,
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range info.Deps {
			if m.Path == driverModule {
				at.Driver = "amqp091-go " + m.Version
			}
		}
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				at.Commit = s.Value
			}
		}
	}
	return at
}

// String returns one sentence.
func (c Circumstances) String() string {
	return fmt.Sprintf("Measured on %s with %s, %s and %s on %s, %d CPUs. Unless the text says otherwise, a figure is the median of %d rounds, and a round takes %v or longer.",
		c.Date.Format("2 January 2006"), c.Broker, c.Driver, c.Go, c.System, c.CPUs, c.Rounds, c.Round)
}

// machine is the whole report for programs.
type machine struct {
	Circumstances Circumstances   `json:"circumstances"`
	Goals         []machineGoal   `json:"goals"`
	Results       []*bench.Result `json:"results"`
}

type machineGoal struct {
	Measure  string  `json:"measure"`
	Unit     string  `json:"unit,omitempty"`
	Must     float64 `json:"must"`
	Aim      float64 `json:"aim"`
	Less     bool    `json:"lessIsBetter"`
	Measured float64 `json:"measured"`
	Beyond   bool    `json:"beyondBroker,omitempty"`
}

// JSON writes the results of every round to a file.
func JSON(file string, at Circumstances, results []*bench.Result, verdicts []bench.Verdict) error {
	m := machine{Circumstances: at, Results: results}
	for i := range verdicts {
		v := &verdicts[i]
		m.Goals = append(m.Goals, machineGoal{v.Measure, v.Unit, v.Must, v.Aim, v.AtMost, v.Value, v.BeyondBroker})
	}
	text, err := json.MarshalIndent(m, "", "\t")
	if err != nil {
		return fmt.Errorf("encode the results: %w", err)
	}
	return os.WriteFile(file, append(text, '\n'), 0o644)
}
