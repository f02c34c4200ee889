package bench

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/bbebcec1/amqprpc-go/benchmarks/internal/contender"
	"github.com/bbebcec1/amqprpc-go/benchmarks/internal/side"
)

// The cases of the scenario streams.
const (
	SmallCase     = "64 B, JSON"
	SmallRawCase  = "64 B, raw"
	HundredCase   = "64 B, JSON, 100 streams"
	LargeCase     = "64 KiB, raw"
	LargePackCase = "64 KiB, MessagePack"
	LargeJSONCase = "64 KiB, JSON"
)

// streamOptions are those of a framework that serves streams.
func (c *Config) streamOptions(change func(o *contender.Options)) contender.Options {
	return c.with(func(o *contender.Options) {
		o.Payload, o.Codec, o.Streams = 0, "json", true
		if change != nil {
			change(o)
		}
	})
}

// streams compares streams with a firehose by hand, which encodes its messages with the same
// codec. A message is bytes, which JSON writes as base64.
func streams(ctx context.Context, c *Config) (*Result, error) {
	r := &Result{
		Scenario: "streams", Title: "Messages of streams a second", Base: contender.Firehose,
		Metrics: []Metric{ItemsPerSecond, MBPerSecond, CPUPerItem, BrokerPerItem, StatesPerItem},
	}
	for _, x := range []struct {
		kase    string
		payload int
		codec   string
		streams int
	}{
		{SmallCase, 64, "json", 1},
		{SmallRawCase, 64, "raw", 1},
		{HundredCase, 64, "json", 100},
		{LargeCase, 64 << 10, "raw", 1},
		{LargePackCase, 64 << 10, "msgpack", 1},
		{LargeJSONCase, 64 << 10, "json", 1},
	} {
		options := c.streamOptions(func(o *contender.Options) { o.Payload, o.Codec = x.payload, x.codec })
		series, err := c.anew(func(part *Config) ([]Series, error) { return part.floods(ctx, x.kase, x.streams, options) })
		if err != nil {
			return nil, err
		}
		r.Series = append(r.Series, series...)
	}
	return r, nil
}

func (c *Config) floods(ctx context.Context, kase string, streams int, o contender.Options) (_ []Series, err error) {
	all, err := c.start(ctx, "streams", []variant{
		{contender.Firehose, contender.Firehose, o},
		{contender.Framework, contender.Framework, o},
	})
	defer func() { err = errors.Join(err, all.stop()) }()
	if err != nil {
		return nil, err
	}
	var tasks []task
	for _, p := range all {
		n := streams
		if p.contender == contender.Firehose {
			n = 1 // it has one stream in all cases
		}
		tasks = append(tasks, task{p.name, kase, func(ctx context.Context) (Sample, error) { return p.take(ctx, n, c.Round) }})
		if _, err := p.take(ctx, n, c.Round); err != nil {
			return nil, fmt.Errorf("warm up %s, %s: %w", p.name, kase, err)
		}
	}
	return c.interleave(ctx, "streams", c.Rounds, tasks)
}

// take takes the messages of streams once.
func (p *pair) take(ctx context.Context, streams int, d time.Duration) (Sample, error) {
	from, err := p.traffic(ctx, p.client)
	if err != nil {
		return nil, err
	}
	cmd := side.Command{Take: &side.Take{Streams: streams, Duration: d}}
	before, after, err := p.do(ctx, &cmd)
	if err != nil {
		return nil, err
	}
	to, err := p.traffic(ctx, p.client)
	if err != nil {
		return nil, err
	}
	if cmd.Take.Items == 0 {
		return nil, fmt.Errorf("no message came within %v", d)
	}
	s := Sample{ItemsPerSecond: cmd.Take.PerSecond, MBPerSecond: cmd.Take.PerSecond * float64(p.options.Payload) / 1e6}
	per := make(Sample)
	per.perCall(before, after, float64(cmd.Take.Items))
	s[CPUPerItem] = per[CPUPerCall]
	if v, ok := per[BrokerCPU]; ok {
		s[BrokerPerItem] = v
	}
	if p.contender == contender.Framework {
		s[StatesPerItem] = 100 * float64(to.Published-from.Published) / float64(cmd.Take.Items)
	}
	return s, nil
}

// traffic is what one side of the framework has sent and received.
func (p *pair) traffic(ctx context.Context, proc *side.Process) (contender.Traffic, error) {
	if p.contender != contender.Framework {
		return contender.Traffic{}, nil
	}
	cmd := side.Command{Traffic: &contender.Traffic{}}
	err := proc.Do(ctx, &cmd)
	return *cmd.Traffic, err
}

// The cases of the scenario turns, and the names of its series.
const (
	TurnsCase = "without a pause"
	PacedCase = "3 ms apart"
	CallTurn  = "a call"
	OpenTurn  = "opening a stream, to its first message"
	WholeTurn = "opening a stream, to its end"
	EchoTurn  = "a message and its echo on an open stream"
)

// turns compares what has a round trip: a call, the opening of a stream, and a message with
// its echo. With a pause, the end of one stream is not in the way of the next.
func turns(ctx context.Context, c *Config) (*Result, error) {
	series, err := c.anew(func(part *Config) ([]Series, error) { return part.turns(ctx) })
	if err != nil {
		return nil, err
	}
	return &Result{
		Scenario: "turns", Title: "Round trips of streams, one after the other", Base: CallTurn,
		Metrics: []Metric{P50, P99, ClientCPU, ServerCPU, BrokerCPU, WritesPerCall, ServerMessages}, Series: series,
	}, nil
}

// turns runs the rounds of one part.
func (c *Config) turns(ctx context.Context) (_ []Series, err error) {
	all, err := c.start(ctx, "turns", []variant{{contender.Framework, contender.Framework, c.streamOptions(nil)}})
	defer func() { err = errors.Join(err, all.stop()) }()
	if err != nil {
		return nil, err
	}
	p := all[0]
	var tasks []task
	for _, x := range []struct {
		kase  string
		pause time.Duration
	}{{TurnsCase, 0}, {PacedCase, 3 * time.Millisecond}} {
		kase, pause := x.kase, x.pause
		tasks = append(tasks,
			task{CallTurn, kase, func(ctx context.Context) (Sample, error) { return p.loadPaced(ctx, 1, c.Round, pause) }},
			task{OpenTurn, kase, func(ctx context.Context) (Sample, error) { return p.opening(ctx, pause, false) }},
			task{WholeTurn, kase, func(ctx context.Context) (Sample, error) { return p.opening(ctx, pause, true) }},
			task{EchoTurn, kase, func(ctx context.Context) (Sample, error) { return p.echo(ctx, pause) }})
	}
	for _, t := range tasks {
		if _, err := t.run(ctx); err != nil {
			return nil, fmt.Errorf("warm up %s: %w", t.name, err)
		}
	}
	return c.interleave(ctx, "turns", c.Rounds, tasks)
}

// opening opens streams once, and takes the time to the message, or to the end.
func (p *pair) opening(ctx context.Context, pause time.Duration, whole bool) (Sample, error) {
	from, err := p.traffic(ctx, p.server)
	if err != nil {
		return nil, err
	}
	cmd := side.Command{Open: &side.Open{Duration: p.config.Round, Pause: pause}}
	before, after, err := p.do(ctx, &cmd)
	if err != nil {
		return nil, err
	}
	to, err := p.traffic(ctx, p.server)
	s := latency(cmd.Open.First)
	if whole {
		s = latency(cmd.Open.Whole)
	}
	s.perCall(before, after, float64(cmd.Open.First.Calls))
	s[ServerMessages] = float64(to.Published-from.Published) / float64(cmd.Open.First.Calls)
	return s, err
}

// echo sends messages on a stream once, and takes the time to the echo of each.
func (p *pair) echo(ctx context.Context, pause time.Duration) (Sample, error) {
	cmd := side.Command{Talk: &side.Talk{Duration: p.config.Round, Pause: pause}}
	before, after, err := p.do(ctx, &cmd)
	if err != nil {
		return nil, err
	}
	s := latency(cmd.Talk.Result)
	s.perCall(before, after, float64(cmd.Talk.Result.Calls))
	return s, nil
}

func latency(r side.Result) Sample { return Sample{P50: micros(r.P50), P99: micros(r.P99)} }

// The cases of the scenario beside.
const (
	AloneCase  = "alone"
	BesideOne  = "beside 1 stream"
	BesideMany = "beside 100 streams"
)

// beside makes calls, one after the other, while the same client takes all messages that the
// same server can send on streams.
func beside(ctx context.Context, c *Config) (_ *Result, err error) {
	all, err := c.start(ctx, "beside", []variant{{contender.Framework, contender.Framework,
		c.streamOptions(func(o *contender.Options) { o.Payload = 64 })}})
	defer func() { err = errors.Join(err, all.stop()) }()
	if err != nil {
		return nil, err
	}
	p := all[0]
	var tasks []task
	for _, x := range []struct {
		kase    string
		streams int
	}{{AloneCase, 0}, {BesideOne, 1}, {BesideMany, 100}} {
		tasks = append(tasks, task{contender.Framework, x.kase, func(ctx context.Context) (_ Sample, err error) {
			if err := p.client.Do(ctx, &side.Command{Take: &side.Take{Streams: x.streams, Background: true}}); err != nil {
				return nil, err
			}
			defer func() { err = errors.Join(err, p.client.Do(ctx, &side.Command{Rest: &side.Rest{}})) }()
			return p.load(ctx, 1, c.atLeast(time.Second))
		}})
	}
	series, err := c.interleave(ctx, "beside", c.Rounds, tasks)
	if err != nil {
		return nil, err
	}
	return &Result{
		Scenario: "beside", Title: "Calls beside streams, one after the other", Base: contender.Framework,
		Metrics: []Metric{CallsPerSecond, P50, P99}, Series: series,
	}, nil
}
