package bench

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"time"

	"github.com/bbebcec1/amqprpc-go/benchmarks/internal/contender"
	"github.com/bbebcec1/amqprpc-go/benchmarks/internal/side"
)

// openLatency offers every contender the same load: half of the throughput that the
// baseline's closed loop of 64 callers reaches in the same round.
func openLatency(ctx context.Context, c *Config) (_ *Result, err error) {
	all, err := c.start(ctx, "latency", []variant{
		{contender.Baseline, contender.Baseline, c.Options},
		{contender.Framework, contender.Framework, c.Options},
		{unconfirmed, contender.Framework, c.with(func(o *contender.Options) { o.Unconfirmed = true })},
		{contender.ByHand, contender.ByHand, c.Options},
	})
	defer func() { err = errors.Join(err, all.stop()) }()
	if err != nil {
		return nil, err
	}
	var peaks []float64
	for range 5 {
		s, err := all[0].load(ctx, 64, c.Round)
		if err != nil {
			return nil, err
		}
		peaks = append(peaks, s[CallsPerSecond])
	}
	peak, _ := median(peaks)
	rate := peak / 2
	kase := fmt.Sprintf("%.0f calls/s", rate)
	var tasks []task
	for _, p := range all {
		if _, err := p.offer(ctx, rate, c.Round); err != nil {
			return nil, err
		}
		tasks = append(tasks, task{p.name, kase, func(ctx context.Context) (Sample, error) { return p.offer(ctx, rate, c.Round) }})
	}
	series, err := c.interleave(ctx, "latency", c.Rounds, tasks)
	if err != nil {
		return nil, err
	}
	return &Result{
		Scenario: "latency", Title: "Open loop at half of the baseline's peak", Base: contender.Baseline,
		Metrics: []Metric{P50, P99, P999, CPUPerCall}, Series: series,
	}, nil
}

// offer runs an open loop in which every call must succeed.
func (p *pair) offer(ctx context.Context, rate float64, d time.Duration) (Sample, error) {
	cmd := side.Command{Offer: &side.Offer{Rate: rate, Duration: d}}
	before, after, err := p.do(ctx, &cmd)
	if err != nil {
		return nil, err
	}
	r := cmd.Offer.Result
	if r.Failed > 0 {
		return nil, fmt.Errorf("%d calls failed, the first: %s", r.Failed, r.Failure)
	}
	s := sampleOf(r)
	s.perCall(before, after, float64(r.Calls))
	return s, nil
}

func (p *pair) work(ctx context.Context, w side.Work) error {
	return p.server.Do(ctx, &side.Command{Work: &w})
}

// loadOf is load with a given work for the handlers.
func (p *pair) loadOf(ctx context.Context, w side.Work, callers int, d time.Duration) (Sample, error) {
	if err := p.work(ctx, w); err != nil {
		return nil, err
	}
	return p.load(ctx, callers, d)
}

// slowHandler compares each contender with itself: without slow handlers, and with one
// handler in 500 that takes 100 ms.
func slowHandler(ctx context.Context, c *Config) (*Result, error) {
	series, err := c.slowAndNot(ctx)
	if err != nil {
		return nil, err
	}
	return &Result{
		Scenario: "slow", Title: "One handler in 500 takes 100 ms, 64 callers", Base: contender.Baseline,
		Metrics: []Metric{CallsPerSecond, P50, P99, P999}, Series: series,
	}, nil
}

// slowAndNot runs both contenders with and without slow handlers.
func (c *Config) slowAndNot(ctx context.Context) (_ []Series, err error) {
	all, err := c.start(ctx, "slow", []variant{
		{contender.Baseline, contender.Baseline, c.Options},
		{contender.Framework, contender.Framework, c.Options},
	})
	defer func() { err = errors.Join(err, all.stop()) }()
	if err != nil {
		return nil, err
	}
	d := c.atLeast(time.Second) // long enough for ten slow handlers
	var tasks []task
	for _, p := range all {
		if _, err := p.load(ctx, 64, c.Round); err != nil {
			return nil, err
		}
		tasks = append(tasks,
			task{p.name, callers(64), func(ctx context.Context) (Sample, error) {
				return p.loadOf(ctx, side.Work{}, 64, d)
			}},
			task{p.name + ", 1 in 500 slow", callers(64), func(ctx context.Context) (Sample, error) {
				return p.loadOf(ctx, side.Work{SlowEvery: 500, Slow: 100 * time.Millisecond}, 64, d)
			}})
	}
	return c.interleave(ctx, "slow", c.Rounds, tasks)
}

// HeldCase is the case of the scenario memory.
const HeldCase = "pending calls"

func pendingMemory(ctx context.Context, c *Config) (*Result, error) {
	var tasks []task
	for _, name := range []string{contender.Baseline, contender.Framework, contender.ByHand} {
		tasks = append(tasks, task{name, HeldCase, func(ctx context.Context) (Sample, error) {
			return c.hold(ctx, name, c.Pending)
		}})
	}
	series, err := c.interleave(ctx, "memory", min(c.Rounds, 3), tasks)
	if err != nil {
		return nil, err
	}
	return &Result{
		Scenario: "memory", Title: "Memory of a pending call", Base: contender.Baseline,
		Metrics: []Metric{HeapPerCall, StackPerCall}, Series: series,
	}, nil
}

// hold makes calls that no server answers.
func (c *Config) hold(ctx context.Context, name string, calls int) (_ Sample, err error) {
	o := c.with(func(o *contender.Options) { o.URL, o.Queue = c.URL, queueName("memory", name) })
	if err := contender.Declare(o); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, contender.Delete(o)) }()
	spec := side.Spec{Role: side.Client, Contender: name, Options: o}
	cmd := side.Command{Hold: &side.Hold{Calls: calls}}
	if c.Profiles != "" {
		spec.CountAllocations = true
		cmd.Hold.Profile = filepath.Join(c.Profiles, "memory-"+name+".pprof")
	}
	client, err := side.Start(ctx, spec)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, client.Stop()) }()
	if err := client.Do(ctx, &cmd); err != nil {
		return nil, err
	}
	return Sample{
		HeapPerCall:  float64(cmd.Hold.Heap) / float64(calls),
		StackPerCall: float64(cmd.Hold.Stack) / float64(calls),
	}, nil
}

// allocations attributes each allocation to the driver, the framework or the contender
// written by hand. Recording every allocation is slow, so this scenario measures nothing
// else.
func allocations(ctx context.Context, c *Config) (*Result, error) {
	r := &Result{
		Scenario: "allocations", Title: "Who allocates, client and server together", Base: contender.Baseline,
		Metrics: []Metric{OwnAllocs, ClientOwnAllocs, ServerOwnAllocs, DriverAllocs},
	}
	numbers := []int{1, 64}
	c.Progress.Begin("allocations", 2*len(numbers))
	defer c.Progress.End()
	for _, name := range []string{contender.Baseline, contender.Framework} {
		for _, n := range numbers {
			c.Progress.Step(name + ", " + callers(n))
			s, err := c.countAllocations(ctx, name, n)
			if err != nil {
				return nil, fmt.Errorf("allocations: %s: %w", name, err)
			}
			r.Series = append(r.Series, *s)
		}
	}
	return r, nil
}

func (c *Config) countAllocations(ctx context.Context, name string, n int) (_ *Series, err error) {
	o := c.with(func(o *contender.Options) { o.URL, o.Queue = c.URL, queueName("allocations", name) })
	defer func() { err = errors.Join(err, contender.Delete(o)) }()
	spec := side.Spec{Role: side.Server, Contender: name, Options: o, CountAllocations: true}
	server, err := side.Start(ctx, spec)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, server.Stop()) }()
	spec.Role = side.Client
	client, err := side.Start(ctx, spec)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, client.Stop()) }()

	origins := func(p *side.Process) (side.Origins, error) {
		cmd := side.Command{Origins: &side.Origins{}}
		err := p.Do(ctx, &cmd)
		if err != nil {
			return side.Origins{}, err
		}
		return *cmd.Origins, nil
	}
	load := func(d time.Duration) (float64, error) {
		cmd := side.Command{Load: &side.Load{Callers: n, Duration: d}}
		if err := client.Do(ctx, &cmd); err != nil {
			return 0, err
		}
		r := cmd.Load.Result
		if r.Failed > 0 || r.Calls == 0 {
			return 0, fmt.Errorf("%d calls failed and %d succeeded: %s", r.Failed, r.Calls, r.Failure)
		}
		return float64(r.Calls + r.Late), nil
	}
	if _, err := load(c.Round); err != nil {
		return nil, err
	}
	var before, after [2]side.Origins
	sides := []*side.Process{client, server}
	for i, p := range sides {
		if before[i], err = origins(p); err != nil {
			return nil, err
		}
	}
	calls, err := load(max(2*c.Round, 100*time.Millisecond))
	if err != nil {
		return nil, err
	}
	for i, p := range sides {
		if after[i], err = origins(p); err != nil {
			return nil, err
		}
	}
	return allocationSeries(name, callers(n), before, after, calls), nil
}

func allocationSeries(name, kase string, before, after [2]side.Origins, calls float64) *Series {
	s := &Series{Name: name, Case: kase}
	var own [2]float64
	driver := 0.0
	for i, role := range []string{side.Client, side.Server} {
		driver += float64(after[i].Driver-before[i].Driver) / calls
		if name == contender.Framework {
			own[i] = float64(after[i].Framework-before[i].Framework) / calls
		} else {
			own[i] = float64(after[i].Rest-before[i].Rest) / calls
		}
		sites := maps.Clone(after[i].Sites)
		for site, n := range before[i].Sites {
			sites[site] -= n
		}
		for _, site := range slices.SortedFunc(maps.Keys(sites), func(a, b string) int { return int(sites[b] - sites[a]) }) {
			if n := float64(sites[site]) / calls; n >= 0.02 {
				s.Notes = append(s.Notes, fmt.Sprintf("%s %.2f %s", role, n, site))
			}
		}
	}
	s.Samples = []Sample{{OwnAllocs: own[0] + own[1], ClientOwnAllocs: own[0], ServerOwnAllocs: own[1], DriverAllocs: driver}}
	return s
}

// The cases of the scenario overload.
const (
	// clocksAgree tells the framework that the clocks differ by far less than a handler
	// takes, so the framework need not measure the difference.
	clocksAgree = "amqprpc, clocks agree"

	// boundedQueue limits the queue to the requests that the server can handle in half of a
	// deadline. The broker refuses further requests.
	boundedQueue = "amqprpc, bounded queue"

	PeakCase  = "peak"
	FloodCase = "twice the peak"
)

// The handlers of the overloaded server take 10 ms. At most 16 run at a time.
const (
	overloadHandlers = 16
	overloadEach     = 10 * time.Millisecond
	overloadDeadline = 250 * time.Millisecond
)

// overload finds the peak of a server with slow handlers. It then offers twice the handlers'
// best rate, with deadlines, and counts the calls that succeed in time.
func overload(ctx context.Context, c *Config) (_ *Result, err error) {
	o := c.with(func(o *contender.Options) { o.Concurrency = overloadHandlers })
	agree := o
	agree.ClockSkew = overloadEach / 10
	bounded := o
	bounded.MaxLength = int(overloadHandlers * (overloadDeadline / 2) / overloadEach)
	all, err := c.start(ctx, "overload", []variant{
		{contender.Baseline, contender.Baseline, o},
		{contender.Framework, contender.Framework, o},
		{clocksAgree, contender.Framework, agree},
		{boundedQueue, contender.Framework, bounded},
	})
	defer func() { err = errors.Join(err, all.stop()) }()
	if err != nil {
		return nil, err
	}
	d := c.atLeast(2 * time.Second)
	var tasks []task
	for _, p := range all {
		if err := p.work(ctx, side.Work{Each: overloadEach}); err != nil {
			return nil, err
		}
		tasks = append(tasks,
			task{p.name, PeakCase, func(ctx context.Context) (Sample, error) {
				return p.load(ctx, 4*overloadHandlers, d/2)
			}},
			task{p.name, FloodCase, func(ctx context.Context) (Sample, error) {
				return p.flood(ctx, 2*overloadHandlers/overloadEach.Seconds(), d)
			}})
	}
	series, err := c.interleave(ctx, "overload", max(1, c.Rounds/5), tasks)
	if err != nil {
		return nil, err
	}
	return &Result{
		Scenario: "overload", Title: "Twice the capacity, each call with a deadline of 250 ms", Base: contender.Baseline,
		Metrics: []Metric{CallsPerSecond, OfferedPerSecond, ExecutedPerSecond, P50, P99}, Series: series,
	}, nil
}

// flood offers more calls than the server can handle, and waits until the server is idle
// again.
func (p *pair) flood(ctx context.Context, rate float64, d time.Duration) (Sample, error) {
	cmd := side.Command{Offer: &side.Offer{Rate: rate, Duration: d, Deadline: overloadDeadline}}
	before, after, err := p.do(ctx, &cmd)
	if err != nil {
		return nil, err
	}
	s := sampleOf(cmd.Offer.Result)
	s[OfferedPerSecond] = float64(cmd.Offer.Offered) / d.Seconds()
	s[ExecutedPerSecond] = float64(after.server.Executed-before.server.Executed) / d.Seconds()
	return s, p.idle(ctx)
}

// idle waits until the server has worked off its remaining requests.
func (p *pair) idle(ctx context.Context) error {
	last := int64(-1)
	for {
		u, err := p.usage(ctx)
		if err != nil {
			return err
		}
		if u.server.Executed == last {
			return nil
		}
		last = u.server.Executed
		select {
		case <-time.After(10 * overloadEach):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
