// Package bench runs the scenarios. It chooses the contenders, the load and the order, and
// evaluates the numbers.
package bench

import (
	"slices"
)

// Metric names a number of a sample, with its unit.
type Metric string

// The metrics of samples. A sample has the metrics that its scenario measures.
const (
	CallsPerSecond    Metric = "calls/s"
	P50               Metric = "p50 µs"
	P99               Metric = "p99 µs"
	P999              Metric = "p99.9 µs"
	CPUPerCall        Metric = "CPU µs/call" // client and server
	ClientCPU         Metric = "client CPU µs/call"
	ServerCPU         Metric = "server CPU µs/call"
	BrokerCPU         Metric = "broker CPU µs/call"
	WritesPerCall     Metric = "writes/call" // system calls, client and server
	AllocsPerCall     Metric = "allocs/call" // client and server
	BytesPerCall      Metric = "allocated bytes/call"
	MBPerSecond       Metric = "MB/s" // payload in each direction
	HeapPerCall       Metric = "heap bytes/pending call"
	StackPerCall      Metric = "stack bytes/pending call"
	DriverAllocs      Metric = "driver's allocs/call"
	OwnAllocs         Metric = "own allocs/call" // by the framework
	ClientOwnAllocs   Metric = "client's own allocs/call"
	ServerOwnAllocs   Metric = "server's own allocs/call"
	OfferedPerSecond  Metric = "offered/s"
	ExecutedPerSecond Metric = "executed/s"
	Memory            Metric = "KiB each"
	Goroutines        Metric = "goroutines each"
	Ready             Metric = "ms until ready"
	Return            Metric = "ms until all are back"

	ItemsPerSecond Metric = "items/s"
	CPUPerItem     Metric = "CPU µs/item" // client and server
	BrokerPerItem  Metric = "broker CPU µs/item"
	StatesPerItem  Metric = "client's messages per 100 items" // which carry the state
	ServerMessages Metric = "server's messages each"
	EndsP50        Metric = "p50 ms"
	EndsP99        Metric = "p99 ms"
	EndsMost       Metric = "longest ms"
	HeldByReceiver Metric = "KiB held by the receiver"
	HeldBySender   Metric = "KiB held by the sender"
	HeldByBroker   Metric = "KiB at the broker"
	HeldMore       Metric = "KiB more at the end"
	ClientHeap     Metric = "client's heap KiB"
	ClientStacks   Metric = "client's stacks KiB"
	ServerHeap     Metric = "server's heap KiB"
	ServerStacks   Metric = "server's stacks KiB"
	ClientRoutines Metric = "client's goroutines"
	ServerRoutines Metric = "server's goroutines"
	Wrong          Metric = "lost, doubled, out of order"
	Cuts           Metric = "cuts"
	Seconds        Metric = "seconds"
	MoreRoutines   Metric = "goroutines left"
	Answers        Metric = "answers"
	LastAnswer     Metric = "ms until the last answer"
	WholeRange     Metric = "ms until the range ends"
)

// Sample is the result of one run of one contender.
type Sample map[Metric]float64

// Series holds the samples of one contender in one case, one sample a round.
type Series struct {
	Name    string   `json:"name"` // the contender or its variant
	Case    string   `json:"case"` // "64 callers"
	Samples []Sample `json:"samples"`
	// Notes are for human readers, for example the origins of allocations.
	Notes []string `json:"notes,omitempty"`
}

// Result is the result of a scenario.
type Result struct {
	Scenario string   `json:"scenario"`
	Title    string   `json:"title"`
	Base     string   `json:"base"` // the name of the series that ratios compare with
	Metrics  []Metric `json:"metrics"`
	Series   []Series `json:"series"`
}

// Find returns the series with this name and case, or nil.
func (r *Result) Find(name, kase string) *Series {
	if r == nil {
		return nil
	}
	for i := range r.Series {
		if r.Series[i].Name == name && r.Series[i].Case == kase {
			return &r.Series[i]
		}
	}
	return nil
}

// Cases returns the cases in the order of the run.
func (r *Result) Cases() []string { return r.distinct(func(s *Series) string { return s.Case }) }

// Names returns the names of the series in the order of the run.
func (r *Result) Names() []string { return r.distinct(func(s *Series) string { return s.Name }) }

func (r *Result) distinct(of func(*Series) string) []string {
	var all []string
	for i := range r.Series {
		if v := of(&r.Series[i]); !slices.Contains(all, v) {
			all = append(all, v)
		}
	}
	return all
}

// Median returns the median of a metric over the rounds.
func (s *Series) Median(m Metric) (float64, bool) {
	if s == nil {
		return 0, false
	}
	var all []float64
	for _, x := range s.Samples {
		if v, ok := x[m]; ok {
			all = append(all, v)
		}
	}
	return median(all)
}

// Ratio returns the median over the rounds of s's metric divided by base's metric. A
// disturbance of a whole round cancels out.
func (s *Series) Ratio(base *Series, m Metric) (float64, bool) {
	return median(s.ratios(base, m))
}

// Spread returns the quartiles of the ratios whose median is Ratio.
func (s *Series) Spread(base *Series, m Metric) (low, high float64) {
	all := s.ratios(base, m)
	if len(all) == 0 {
		return 0, 0
	}
	slices.Sort(all)
	return all[(len(all)-1)/4], all[(3*(len(all)-1)+3)/4]
}

func (s *Series) ratios(base *Series, m Metric) []float64 {
	if s == nil || base == nil {
		return nil
	}
	var all []float64
	for i := range min(len(s.Samples), len(base.Samples)) {
		a, okA := s.Samples[i][m]
		b, okB := base.Samples[i][m]
		if okA && okB && b != 0 {
			all = append(all, a/b)
		}
	}
	return all
}

func median(all []float64) (float64, bool) {
	if len(all) == 0 {
		return 0, false
	}
	slices.Sort(all)
	n := len(all)
	return (all[(n-1)/2] + all[n/2]) / 2, true
}
