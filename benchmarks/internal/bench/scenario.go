package bench

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/bbebcec1/amqprpc-go/benchmarks/internal/contender"
)

// Scenario is one experiment.
type Scenario struct {
	Name string
	What string
	Run  func(ctx context.Context, c *Config) (*Result, error)
}

// Scenarios returns all scenarios in the order of the run.
func Scenarios() []Scenario {
	return []Scenario{
		{"throughput", "closed loop: calls a second, latency, CPU and allocations", throughput},
		{"latency", "open loop, at half of what the baseline can do", openLatency},
		{"slow", "one handler in 500 takes 100 ms", slowHandler},
		{"payload", "1 KiB, 64 KiB and 1 MiB of bytes", payloads},
		{"memory", "memory of a pending call", pendingMemory},
		{"allocations", "whose allocations a call makes", allocations},
		{"overload", "twice the capacity, with deadlines", overload},
		{"defaults", "what each default and option of the framework costs", defaults},
		{"wire", "what each property on the wire costs, written by hand", wire},
		{"concurrency", "handlers in flight, and with them the prefetch", concurrency},
		{"queues", "calls spread over several queues", queues},
		{"fleet", "the same callers spread over clients, queues and servers", fleet},
		{"idle", "what a queue and a client cost that do nothing", idleFleet},
		{"streams", "messages a second of streams, against a firehose by hand", streams},
		{"turns", "opening a stream, and ping-pong on one, against a call", turns},
		{"cancel", "until the ctx of a handler ends whose caller wants no more", cancel},
		{"beside", "calls beside streams", beside},
		{"held", "memory of streams that are idle, or whose reader stands still", held},
		{"cuts", "a stream whose connections are cut", cuts},
		{"kill", "until a side of a stream learns that the other was killed", kill},
		{"broadcast", "a call of 100 instances", broadcast},
	}
}

// Names of series that are variants of a contender.
const (
	unconfirmed      = "amqprpc, no confirms"
	leastUnconfirmed = "least, exclusive, no confirms"
)

func callers(n int) string {
	if n == 1 {
		return "1 caller"
	}
	return fmt.Sprintf("%d callers", n)
}

// closedLoop runs variants with each number of callers, except the combinations that skip
// selects.
func (c *Config) closedLoop(ctx context.Context, scenario, title string, variants []variant, numbers []int, skip func(v variant, callers int) bool) (_ []Series, err error) {
	all, err := c.start(ctx, scenario, variants)
	defer func() { err = errors.Join(err, all.stop()) }()
	if err != nil {
		return nil, err
	}
	var tasks []task
	for _, n := range numbers {
		for _, p := range all {
			if skip != nil && skip(p.variant, n) {
				continue
			}
			tasks = append(tasks, task{p.name, callers(n), func(ctx context.Context) (Sample, error) { return p.load(ctx, n, c.length(n)) }})
			if _, err := p.load(ctx, n, c.length(n)); err != nil {
				return nil, fmt.Errorf("%s: warm up %s, %s: %w", title, p.name, callers(n), err)
			}
		}
	}
	return c.interleave(ctx, title, c.Rounds, tasks)
}

// length returns the length of a run. A thousand callers need more time to start.
func (c *Config) length(callers int) time.Duration {
	return max(c.Round, time.Duration(callers)*time.Millisecond)
}

// atLeast returns the length of a run that must be long. Very short rounds stay short,
// because they are for tests only.
func (c *Config) atLeast(d time.Duration) time.Duration {
	return max(c.Round, min(d, 10*c.Round))
}

// with returns a changed copy of the common options.
func (c *Config) with(change func(o *contender.Options)) contender.Options {
	o := c.Options
	if change != nil {
		change(&o)
	}
	return o
}

// chosen returns the variants that the user wants.
func (c *Config) chosen(scenario string, variants []variant) ([]variant, error) {
	if len(c.Only) == 0 {
		return variants, nil
	}
	wanted := slices.DeleteFunc(variants, func(v variant) bool { return !slices.Contains(c.Only, v.name) })
	if len(wanted) == 0 {
		return nil, fmt.Errorf("%s: there is no contender among %q", scenario, c.Only)
	}
	return wanted, nil
}

// tutorialLimit is the most connections that the tutorial's clients may open.
const tutorialLimit = 256

func throughput(ctx context.Context, c *Config) (*Result, error) {
	variants := []variant{
		{contender.Baseline, contender.Baseline, c.Options},
		{contender.Framework, contender.Framework, c.Options},
		{unconfirmed, contender.Framework, c.with(func(o *contender.Options) { o.Unconfirmed = true })},
		{contender.ByHand, contender.ByHand, c.Options},
		{contender.Tutorial, contender.Tutorial, c.Options},
	}
	variants, err := c.chosen("throughput", variants)
	if err != nil {
		return nil, err
	}
	series, err := c.anew(func(part *Config) ([]Series, error) {
		return part.callersOf(ctx, "throughput-lone", variants, func(callers int) bool { return callers == 1 })
	})
	if err != nil {
		return nil, err
	}
	others, err := c.callersOf(ctx, "throughput", variants, func(callers int) bool { return callers > 1 })
	if err != nil {
		return nil, err
	}
	return &Result{
		Scenario: "throughput", Title: "Calls a second, callers calling without a pause", Base: contender.Baseline,
		Metrics: []Metric{CallsPerSecond, P50, P99, P999, CPUPerCall, ClientCPU, ServerCPU, BrokerCPU, WritesPerCall, AllocsPerCall},
		Series:  append(series, others...),
	}, nil
}

// callersOf runs the part of the scenario throughput whose numbers of callers match.
func (c *Config) callersOf(ctx context.Context, part string, variants []variant, are func(callers int) bool) ([]Series, error) {
	numbers := slices.DeleteFunc(slices.Clone(c.Callers), func(n int) bool { return !are(n) })
	if len(numbers) == 0 {
		return nil, nil
	}
	return c.closedLoop(ctx, part, "throughput", variants, numbers, func(v variant, callers int) bool {
		return v.contender == contender.Tutorial && callers > tutorialLimit
	})
}

func payloads(ctx context.Context, c *Config) (*Result, error) {
	r := &Result{
		Scenario: "payload", Title: "Bytes as they are, 16 callers", Base: contender.Baseline,
		Metrics: []Metric{MBPerSecond, CallsPerSecond, P50, P99, CPUPerCall, BrokerCPU, BytesPerCall},
	}
	for _, size := range []struct {
		bytes int
		name  string
	}{{1 << 10, "1 KiB"}, {64 << 10, "64 KiB"}, {1 << 20, "1 MiB"}} {
		o := c.with(func(o *contender.Options) { o.Payload, o.Codec = size.bytes, "raw" })
		variants := []variant{{contender.Baseline, contender.Baseline, o}, {contender.Framework, contender.Framework, o}}
		series, err := c.closedLoop(ctx, "payload", "payload "+size.name, variants, []int{16}, nil)
		if err != nil {
			return nil, err
		}
		for i := range series {
			series[i].Case = size.name
		}
		r.Series = append(r.Series, series...)
	}
	return r, nil
}

func defaults(ctx context.Context, c *Config) (*Result, error) {
	fw := func(name string, change func(o *contender.Options)) variant {
		return variant{name, contender.Framework, c.with(change)}
	}
	variants := []variant{
		fw("defaults", nil),
		fw("no confirms", func(o *contender.Options) { o.Unconfirmed = true }),
		fw("exclusive reply queue", func(o *contender.Options) { o.Reply = "exclusive" }),
		fw("direct reply-to", func(o *contender.Options) { o.Reply = "direct" }),
		fw("msgpack", func(o *contender.Options) { o.Codec = "msgpack" }),
		fw("persistent", func(o *contender.Options) { o.Persistent = true }),
		fw("quorum queue", func(o *contender.Options) { o.QueueType = "quorum" }),
		fw("quorum queue, persistent", func(o *contender.Options) { o.QueueType, o.Persistent = "quorum", true }),
	}
	series, err := c.closedLoop(ctx, "defaults", "defaults", variants, []int{1, 64}, nil)
	if err != nil {
		return nil, err
	}
	return &Result{
		Scenario: "defaults", Title: "What each default and option costs", Base: "defaults",
		Metrics: []Metric{CallsPerSecond, P50, P99, CPUPerCall, BrokerCPU}, Series: series,
	}, nil
}

func wire(ctx context.Context, c *Config) (*Result, error) {
	by := func(name string, change func(o *contender.Options)) variant {
		return variant{name, contender.ByHand, c.with(change)}
	}
	variants := []variant{
		by("all", nil),
		by("no confirms", func(o *contender.Options) { o.Unconfirmed = true }),
		by("not mandatory", func(o *contender.Options) { o.NoMandatory = true }),
		by("no expiration", func(o *contender.Options) { o.NoExpiration = true }),
		by("no rpc-deadline", func(o *contender.Options) { o.NoDeadline = true }),
		by("no message id", func(o *contender.Options) { o.NoMessageID = true }),
		by("none of them", func(o *contender.Options) {
			o.Unconfirmed, o.NoMandatory, o.NoExpiration, o.NoDeadline, o.NoMessageID = true, true, true, true, true
		}),
	}
	series, err := c.closedLoop(ctx, "wire", "wire", variants, []int{64}, nil)
	if err != nil {
		return nil, err
	}
	return &Result{
		Scenario: "wire", Title: "What each property on the wire costs, written by hand on the driver", Base: "all",
		Metrics: []Metric{CallsPerSecond, CPUPerCall, BrokerCPU, AllocsPerCall}, Series: series,
	}, nil
}

func concurrency(ctx context.Context, c *Config) (*Result, error) {
	var variants []variant
	for _, n := range []int{1, 8, 32, 128, 512} {
		variants = append(variants, variant{fmt.Sprintf("concurrency %d", n), contender.Framework,
			c.with(func(o *contender.Options) { o.Concurrency = n })})
	}
	series, err := c.closedLoop(ctx, "concurrency", "concurrency", variants, []int{64, 256}, nil)
	if err != nil {
		return nil, err
	}
	return &Result{
		Scenario: "concurrency", Title: "Handlers in flight (and prefetch) that do nothing but echo", Base: "concurrency 128",
		Metrics: []Metric{CallsPerSecond, P50, P99, CPUPerCall, BrokerCPU}, Series: series,
	}, nil
}

func queues(ctx context.Context, c *Config) (*Result, error) {
	var variants []variant
	for _, n := range []int{1, 2, 4} {
		name := "1 queue"
		if n > 1 {
			name = fmt.Sprintf("%d queues", n)
		}
		variants = append(variants, variant{name, contender.Framework, c.with(func(o *contender.Options) { o.Queues = n })})
	}
	series, err := c.closedLoop(ctx, "queues", "queues", variants, []int{64, 256}, nil)
	if err != nil {
		return nil, err
	}
	return &Result{
		Scenario: "queues", Title: "One client and one server, calls spread over queues", Base: "1 queue",
		Metrics: []Metric{CallsPerSecond, P50, CPUPerCall, BrokerCPU}, Series: series,
	}, nil
}
