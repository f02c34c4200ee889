package bench

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/bbebcec1/amqprpc-go/benchmarks/internal/contender"
	"github.com/bbebcec1/amqprpc-go/benchmarks/internal/side"
)

// Progress receives the progress of a scenario.
type Progress interface {
	Begin(title string, steps int)
	Step(what string)
	End()
}

// Config holds the settings of a run.
type Config struct {
	URL      string
	Rounds   int
	Round    time.Duration // the length of one run of one contender
	Callers  []int         // the numbers of callers to compare
	Pending  int           // the number of calls whose memory is measured
	Only     []string      // the variants of the scenarios throughput and fleet; empty means all
	Shapes   []string      // the shapes of the scenario fleet; empty means all
	Stall    time.Duration // how long the reader of a stream stands still
	Items    int           // of the stream whose connections are cut
	Profiles string        // a directory for CPU profiles of all processes; "" means no profiles
	Progress Progress
	// BrokerCPU returns the broker's CPU time, or false if that time is unknown.
	BrokerCPU func() (time.Duration, bool)
	// Options applies to every contender; see the flags of rpcbench.
	Options contender.Options
}

// task is one contender in one case. Each round calls run once.
type task struct {
	name, kase string
	run        func(ctx context.Context) (Sample, error)
}

// interleave runs all tasks in every round, in a new order each time. Neither the machine's
// state nor the previous contender then favours one task.
func (c *Config) interleave(ctx context.Context, title string, rounds int, tasks []task) ([]Series, error) {
	all := make([]Series, len(tasks))
	for i, t := range tasks {
		all[i] = Series{Name: t.name, Case: t.kase}
	}
	c.Progress.Begin(title, rounds*len(tasks))
	defer c.Progress.End()
	for range rounds {
		for _, i := range rand.Perm(len(tasks)) {
			t := &tasks[i]
			c.Progress.Step(strings.TrimSpace(t.name + ", " + t.kase))
			s, err := t.run(ctx)
			if err != nil {
				return nil, fmt.Errorf("%s: %s, %s: %w", title, t.name, t.kase, err)
			}
			all[i].Samples = append(all[i].Samples, s)
		}
	}
	return all, nil
}

// fresh is how often processes are started anew.
const fresh = 3

// anew runs the rounds in parts, each with processes of its own: what a process got by chance
// stays with it.
func (c *Config) anew(run func(part *Config) ([]Series, error)) (all []Series, err error) {
	parts := max(1, min(fresh, c.Rounds))
	for i := range parts {
		part := *c
		part.Rounds = (c.Rounds + i) / parts
		series, err := run(&part)
		if err != nil {
			return nil, err
		}
		if all == nil {
			all = series
			continue
		}
		for j, s := range series {
			all[j].Samples = append(all[j].Samples, s.Samples...)
		}
	}
	return all, nil
}

// variant is a contender with its options and its name in the results.
type variant struct {
	name      string
	contender string
	options   contender.Options
}

// pair is a running variant: a client process and a server process.
type pair struct {
	variant
	config *Config
	server *side.Process   // nil if the requests must wait
	others []*side.Process // further servers
	client *side.Process
}

// pairs holds the running variants of a scenario.
type pairs []*pair

// queueName returns the name of a queue that only one variant uses.
func queueName(scenario, name string) string {
	clean := func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}
	return "rpcbench." + scenario + "." + strings.Map(clean, name)
}

// start starts variants. The caller must call stop even if start returns an error.
func (c *Config) start(ctx context.Context, scenario string, variants []variant) (all pairs, err error) {
	for _, v := range variants {
		v.options.URL = c.URL
		v.options.Queue = queueName(scenario, v.name)
		p := &pair{variant: v, config: c}
		all = append(all, p)
		if err := p.start(ctx); err != nil {
			return all, err
		}
		if err := p.profile(ctx, scenario); err != nil {
			return all, err
		}
	}
	return all, nil
}

func (p *pair) start(ctx context.Context) (err error) {
	spec := side.Spec{Role: side.Server, Contender: p.contender, Options: p.options}
	if p.server, err = side.Start(ctx, spec); err != nil {
		return err
	}
	for part := 1; part < p.options.Parts; part++ {
		spec.Options.Part = part
		other, err := side.Start(ctx, spec)
		if err != nil {
			return err
		}
		p.others = append(p.others, other)
	}
	spec.Role = side.Client
	p.client, err = side.Start(ctx, spec)
	return err
}

// profile starts CPU profiles of both processes. A profile ends with its process.
func (p *pair) profile(ctx context.Context, scenario string) error {
	if p.config.Profiles == "" {
		return nil
	}
	for role, proc := range map[string]*side.Process{side.Server: p.server, side.Client: p.client} {
		file := filepath.Join(p.config.Profiles, fmt.Sprintf("%s-%s-%s.pprof", scenario, p.name, role))
		if err := proc.Do(ctx, &side.Command{Profile: &side.Profile{File: file}}); err != nil {
			return err
		}
	}
	return nil
}

// stop ends all pairs at the same time and deletes their queues.
func (all pairs) stop() error {
	errs := make([]error, len(all))
	var wg sync.WaitGroup
	for i, p := range all {
		wg.Go(func() { errs[i] = p.stop() })
	}
	wg.Wait()
	return errors.Join(errs...)
}

func (p *pair) stop() error {
	var errs []error
	for _, proc := range append([]*side.Process{p.client, p.server}, p.others...) {
		if proc == nil {
			continue
		}
		if p.config.Profiles != "" {
			errs = append(errs, proc.Do(context.Background(), &side.Command{Profile: &side.Profile{}}))
		}
		errs = append(errs, proc.Stop())
	}
	return errors.Join(append(errs, contender.Delete(p.options))...)
}

// usage is the resource usage of both processes and the broker.
type usage struct {
	client, server side.Usage
	broker         time.Duration
	brokerKnown    bool
}

func (p *pair) usage(ctx context.Context) (u usage, err error) {
	cmd := side.Command{Usage: &side.Usage{}}
	if err = p.client.Do(ctx, &cmd); err != nil {
		return u, err
	}
	u.client = *cmd.Usage
	cmd = side.Command{Usage: &side.Usage{}}
	if err = p.server.Do(ctx, &cmd); err != nil {
		return u, err
	}
	u.server = *cmd.Usage
	for _, other := range p.others {
		cmd = side.Command{Usage: &side.Usage{}}
		if err = other.Do(ctx, &cmd); err != nil {
			return u, err
		}
		u.server.CPU += cmd.Usage.CPU
		u.server.Mallocs += cmd.Usage.Mallocs
		u.server.Bytes += cmd.Usage.Bytes
		u.server.Writes += cmd.Usage.Writes
		u.server.Executed += cmd.Usage.Executed
	}
	if p.config.BrokerCPU != nil {
		u.broker, u.brokerKnown = p.config.BrokerCPU()
	}
	return u, nil
}

// do runs a command on the client and returns the usage before and after.
func (p *pair) do(ctx context.Context, cmd *side.Command) (before, after usage, err error) {
	if before, err = p.usage(ctx); err != nil {
		return before, after, err
	}
	if err = p.client.Do(ctx, cmd); err != nil {
		return before, after, err
	}
	after, err = p.usage(ctx)
	return before, after, err
}

// load runs a closed loop once and returns the cost of each call.
func (p *pair) load(ctx context.Context, callers int, d time.Duration) (Sample, error) {
	return p.loadPaced(ctx, callers, d, 0)
}

// loadPaced is load with a pause after each call.
func (p *pair) loadPaced(ctx context.Context, callers int, d, pause time.Duration) (Sample, error) {
	cmd := side.Command{Load: &side.Load{Callers: callers, Duration: d, Pause: pause}}
	before, after, err := p.do(ctx, &cmd)
	if err != nil {
		return nil, err
	}
	r := cmd.Load.Result
	if r.Failed > 0 {
		return nil, fmt.Errorf("%d calls failed, the first: %s", r.Failed, r.Failure)
	}
	if r.Calls == 0 {
		return nil, fmt.Errorf("no call ended within %v", d)
	}
	s := sampleOf(r)
	s.perCall(before, after, float64(r.Calls+r.Late))
	s[MBPerSecond] = s[CallsPerSecond] * float64(p.options.Payload) / 1e6
	return s, nil
}

func sampleOf(r side.Result) Sample {
	return Sample{
		CallsPerSecond: float64(r.Calls) / r.Elapsed.Seconds(),
		P50:            micros(r.P50),
		P99:            micros(r.P99),
		P999:           micros(r.P999),
	}
}

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

// perCall adds the usage of each call.
func (s Sample) perCall(before, after usage, calls float64) {
	if calls == 0 {
		return
	}
	client := micros(after.client.CPU-before.client.CPU) / calls
	server := micros(after.server.CPU-before.server.CPU) / calls
	s[ClientCPU], s[ServerCPU], s[CPUPerCall] = client, server, client+server
	s[AllocsPerCall] = float64(after.client.Mallocs-before.client.Mallocs+after.server.Mallocs-before.server.Mallocs) / calls
	s[BytesPerCall] = float64(after.client.Bytes-before.client.Bytes+after.server.Bytes-before.server.Bytes) / calls
	if after.client.Writes > 0 {
		s[WritesPerCall] = float64(after.client.Writes-before.client.Writes+after.server.Writes-before.server.Writes) / calls
	}
	if before.brokerKnown && after.brokerKnown {
		s[BrokerCPU] = micros(after.broker-before.broker) / calls
	}
}
