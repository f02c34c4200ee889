package bench

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/bbebcec1/amqprpc-go/benchmarks/internal/contender"
	"github.com/bbebcec1/amqprpc-go/benchmarks/internal/side"
)

// fleetShape is one way to spread the same 800 callers.
type fleetShape struct {
	name                   string
	queues, clients, parts int
}

const (
	fleetCallers = 800
	idleQueues   = 500
	idleClients  = 200
	QueuesCase   = "500 queues"
	ClientsCase  = "200 clients"
)

func fleetShapes() []fleetShape {
	return []fleetShape{
		{"1 queue, 1 client", 1, 1, 1},
		{"1 queue, 200 clients", 1, 200, 1},
		{"500 queues, 1 client", 500, 1, 1},
		{"20 queues, 20 clients", 20, 20, 1},
		{"500 queues, 200 clients", 500, 200, 1},
		{"10 servers of 20 queues, 20 clients", 200, 20, 10},
	}
}

// fleet spreads the same callers over queues and clients. Batches are small then, so each
// message, ack and goroutine costs its full price.
func fleet(ctx context.Context, c *Config) (*Result, error) {
	r := &Result{
		Scenario: "fleet", Title: "800 callers, spread over clients, queues and servers", Base: contender.Baseline,
		Metrics: []Metric{CallsPerSecond, P99, CPUPerCall, ClientCPU, ServerCPU, BrokerCPU, WritesPerCall},
	}
	for _, s := range fleetShapes() {
		if len(c.Shapes) > 0 && !slices.Contains(c.Shapes, s.name) {
			continue
		}
		of := func(change func(o *contender.Options)) contender.Options {
			o := c.with(change)
			o.Queues, o.Clients, o.Parts = s.queues, s.clients, s.parts
			return o
		}
		variants := []variant{
			{contender.Baseline, contender.Baseline, of(nil)},
			{contender.Framework, contender.Framework, of(nil)},
			{unconfirmed, contender.Framework, of(func(o *contender.Options) { o.Unconfirmed = true })},
			{"amqprpc, exclusive", contender.Framework, of(func(o *contender.Options) { o.Reply = "exclusive" })},
			{"amqprpc, direct", contender.Framework, of(func(o *contender.Options) { o.Reply = "direct" })},
			{"amqprpc, exclusive, no confirms", contender.Framework, of(func(o *contender.Options) { o.Reply, o.Unconfirmed = "exclusive", true })},
			{contender.Least, contender.Least, of(nil)},
			{leastUnconfirmed, contender.Least, of(func(o *contender.Options) { o.Reply, o.Unconfirmed = "exclusive", true })},
		}
		variants, err := c.chosen("fleet", variants)
		if err != nil {
			return nil, err
		}
		series, err := c.anew(func(part *Config) ([]Series, error) {
			return part.closedLoop(ctx, "fleet", "fleet, "+s.name, variants, []int{fleetCallers}, nil)
		})
		if err != nil {
			return nil, err
		}
		for i := range series {
			series[i].Case = s.name
		}
		r.Series = append(r.Series, series...)
	}
	if len(r.Series) == 0 {
		return nil, fmt.Errorf("fleet: there is no shape among %q", c.Shapes)
	}
	return r, nil
}

// idleFleet measures the memory and goroutines of idle queues and clients, their start time,
// and the time that clients take to reconnect after all connections are lost.
func idleFleet(ctx context.Context, c *Config) (*Result, error) {
	r := &Result{
		Scenario: "idle", Title: "What a queue and a client cost that do nothing", Base: contender.Baseline,
		Metrics: []Metric{Memory, Goroutines, Ready, Return},
	}
	c.Progress.Begin("idle", 4)
	defer c.Progress.End()
	for _, name := range []string{contender.Baseline, contender.Framework} {
		c.Progress.Step(name)
		queues, err := c.idle(ctx, name, func(o *contender.Options, n int) { o.Queues = n }, side.Server, idleQueues)
		if err != nil {
			return nil, fmt.Errorf("idle: %s: %w", name, err)
		}
		c.Progress.Step(name)
		clients, err := c.idle(ctx, name, func(o *contender.Options, n int) { o.Clients = n }, side.Client, idleClients)
		if err != nil {
			return nil, fmt.Errorf("idle: %s: %w", name, err)
		}
		r.Series = append(r.Series, Series{Name: name, Case: QueuesCase, Samples: queues}, Series{Name: name, Case: ClientsCase, Samples: clients})
	}
	return r, nil
}

// idle compares a process that has one queue or client with a process that has n.
func (c *Config) idle(ctx context.Context, name string, of func(o *contender.Options, n int), role string, n int) (samples []Sample, err error) {
	for range max(1, c.Rounds/5) {
		var small, large side.Idle
		if _, err = c.idleOnce(ctx, name, of, role, 1, &small); err != nil {
			return nil, err
		}
		back, err := c.idleOnce(ctx, name, of, role, n, &large)
		if err != nil {
			return nil, err
		}
		s := Sample{
			Memory:     float64(int64(large.Memory)-int64(small.Memory)) / float64(n-1) / 1024,
			Goroutines: float64(large.Goroutines-small.Goroutines) / float64(n-1),
			Ready:      float64(large.Started) / float64(time.Millisecond),
		}
		if back > 0 {
			s[Return] = float64(back) / float64(time.Millisecond)
		}
		samples = append(samples, s)
	}
	return samples, nil
}

// idleOnce starts a client and a server, one of them with n queues or connections, and
// measures that one.
func (c *Config) idleOnce(ctx context.Context, name string, of func(o *contender.Options, n int), role string, n int, idle *side.Idle) (back time.Duration, err error) {
	o := c.with(func(o *contender.Options) { of(o, n) })
	all, err := c.start(ctx, "idle", []variant{{name, name, o}})
	defer func() { err = errors.Join(err, all.stop()) }()
	if err != nil {
		return 0, err
	}
	p := all[0]
	proc := p.server
	if role == side.Client {
		proc = p.client
	}
	cmd := side.Command{Idle: idle}
	if err := proc.Do(ctx, &cmd); err != nil {
		return 0, err
	}
	*idle = *cmd.Idle
	if role != side.Client || name != contender.Framework || n == 1 {
		return 0, nil
	}
	cmd = side.Command{Drop: &side.Drop{}}
	err = p.client.Do(ctx, &cmd)
	return cmd.Drop.Took, err
}
