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

// The cases of the scenario cancel.
const (
	BreakSmall = "break, 64 B messages without a pause"
	BreakLarge = "break, 64 KiB messages without a pause"
	CancelCall = "cancel of a call"
)

const (
	quits    = 20                     // in a round
	quitWarm = 20 * time.Millisecond  // of messages, before each
	callWarm = 100 * time.Millisecond // until the handler of a call has certainly started
	endLimit = 30 * time.Second
)

// cancel measures the time from a break, or a cancel, to the end of the handler's ctx. Both
// processes read the same clock.
func cancel(ctx context.Context, c *Config) (_ *Result, err error) {
	r := &Result{
		Scenario: "cancel", Title: "Until the handler's ctx ends whose caller wants no more", Base: contender.Framework,
		Metrics: []Metric{EndsP50, EndsP99, EndsMost},
	}
	for _, x := range []struct {
		kase    string
		payload int
		call    bool
	}{{BreakSmall, 64, false}, {BreakLarge, 64 << 10, false}, {CancelCall, 0, true}} {
		series, err := c.quits(ctx, x.kase, x.call, c.streamOptions(func(o *contender.Options) {
			if o.Payload = x.payload; x.payload > 0 {
				o.Codec = "raw"
			}
		}))
		if err != nil {
			return nil, err
		}
		r.Series = append(r.Series, *series)
	}
	return r, nil
}

// quits measures one case. The percentiles are of all rounds together, since a round is too
// short for a p99.
func (c *Config) quits(ctx context.Context, kase string, call bool, o contender.Options) (_ *Series, err error) {
	all, err := c.start(ctx, "cancel", []variant{{contender.Framework, contender.Framework, o}})
	defer func() { err = errors.Join(err, all.stop()) }()
	if err != nil {
		return nil, err
	}
	p := all[0]
	c.Progress.Begin("cancel", c.Rounds)
	defer c.Progress.End()
	var took []float64
	for range c.Rounds {
		c.Progress.Step(kase)
		cmd := side.Command{Quit: &side.Quit{Call: call, Count: quits, Warm: quitWarm}}
		if call {
			cmd.Quit.Warm = callWarm
		}
		if err := p.client.Do(ctx, &cmd); err != nil {
			return nil, err
		}
		ends, err := p.ends(ctx, len(cmd.Quit.At))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", kase, err)
		}
		for id, at := range cmd.Quit.At {
			took = append(took, millis(ends[id].Sub(at)))
		}
	}
	slices.Sort(took)
	s := Sample{EndsP50: took[len(took)/2], EndsP99: took[(len(took)*99)/100], EndsMost: took[len(took)-1]}
	return &Series{Name: contender.Framework, Case: kase, Samples: []Sample{s}}, nil
}

// ends waits until so many handlers have ended, and returns when.
func (p *pair) ends(ctx context.Context, n int) (map[int]time.Time, error) {
	all := make(map[int]time.Time)
	for limit := time.Now().Add(endLimit + streamLives); ; {
		cmd := side.Command{Ends: &side.Ends{}}
		if err := p.server.Do(ctx, &cmd); err != nil {
			return nil, err
		}
		for id, at := range cmd.Ends.At {
			all[id] = at
		}
		if len(all) >= n {
			return all, nil
		}
		if time.Now().After(limit) {
			return nil, fmt.Errorf("of %d handlers whose callers are gone only %d have ended", n, len(all))
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// streamLives is how long a stream outlives its other side at most.
const streamLives = time.Minute

func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// The cases of the scenarios cuts and kill.
const (
	CutCase      = "both connections cut every second"
	KilledServer = "the server killed"
	KilledClient = "the client killed"
	KilledGone   = "the client killed, its queue gone"
)

// cuts counts the messages of a stream whose connections are cut.
func cuts(ctx context.Context, c *Config) (*Result, error) {
	c.Progress.Begin("cuts", 1)
	defer c.Progress.End()
	c.Progress.Step(CutCase)
	s, err := c.once(ctx, "cuts", c.streamOptions(nil), c.cutStream)
	if err != nil {
		return nil, err
	}
	return &Result{
		Scenario: "cuts", Title: fmt.Sprintf("A stream of %d messages whose connections are cut", c.Items), Base: contender.Framework,
		Metrics: []Metric{Wrong, Cuts, Seconds},
		Series:  []Series{{Name: contender.Framework, Case: CutCase, Samples: []Sample{s}}},
	}, nil
}

// kill measures when a side learns that the other was killed.
func kill(ctx context.Context, c *Config) (*Result, error) {
	r := &Result{
		Scenario: "kill", Title: "Until a side learns that the other was killed", Base: contender.Framework,
		Metrics: []Metric{Seconds, MoreRoutines},
	}
	c.Progress.Begin("kill", 3)
	defer c.Progress.End()
	for _, x := range []struct {
		kase string
		run  func(context.Context, *pair) (Sample, error)
		how  func(o *contender.Options)
	}{
		{KilledServer, killServer, nil},
		{KilledClient, killClient, nil},
		{KilledGone, killClient, func(o *contender.Options) { o.Reply = "exclusive" }},
	} {
		c.Progress.Step(x.kase)
		s, err := c.once(ctx, "kill", c.streamOptions(x.how), x.run)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", x.kase, err)
		}
		r.Series = append(r.Series, Series{Name: contender.Framework, Case: x.kase, Samples: []Sample{s}})
	}
	return r, nil
}

// once runs f with a client and a server of the framework. f may kill one of them.
func (c *Config) once(ctx context.Context, scenario string, o contender.Options, f func(context.Context, *pair) (Sample, error)) (_ Sample, err error) {
	all, err := c.start(ctx, scenario, []variant{{contender.Framework, contender.Framework, o}})
	defer func() { err = errors.Join(err, all.stop()) }()
	if err != nil {
		return nil, err
	}
	return f(ctx, all[0])
}

func (c *Config) cutStream(ctx context.Context, p *pair) (Sample, error) {
	s := Sample{}
	for _, proc := range []*side.Process{p.client, p.server} {
		if err := proc.Do(ctx, &side.Command{Cut: &side.Cut{Every: time.Second}}); err != nil {
			return nil, err
		}
	}
	count := side.Command{Count: &side.Count{N: c.Items}}
	if err := p.client.Do(ctx, &count); err != nil {
		return nil, err
	}
	for _, proc := range []*side.Process{p.client, p.server} {
		cmd := side.Command{Rest: &side.Rest{}}
		if err := proc.Do(ctx, &cmd); err != nil {
			return nil, err
		}
		s[Cuts] += float64(cmd.Rest.Cuts)
	}
	s[Wrong], s[Seconds] = float64(count.Count.Wrong), count.Count.Elapsed.Seconds()
	return s, nil
}

func killServer(ctx context.Context, p *pair) (Sample, error) {
	if err := p.client.Do(ctx, &side.Command{Orphan: &side.Orphan{}}); err != nil {
		return nil, err
	}
	at := time.Now()
	if err := p.server.Kill(); err != nil {
		return nil, err
	}
	p.server = nil
	cmd := side.Command{Lost: &side.Lost{}}
	err := p.client.Do(ctx, &cmd)
	return Sample{Seconds: cmd.Lost.At.Sub(at).Seconds(), MoreRoutines: float64(cmd.Lost.More)}, err
}

func killClient(ctx context.Context, p *pair) (Sample, error) {
	// One stream before: what runs for all streams is not left of one.
	if err := p.client.Do(ctx, &side.Command{Quit: &side.Quit{Count: 1, Warm: quitWarm}}); err != nil {
		return nil, err
	}
	if _, err := p.ends(ctx, 1); err != nil {
		return nil, err
	}
	time.Sleep(side.Ended)
	before := side.Command{Idle: &side.Idle{}}
	if err := p.server.Do(ctx, &before); err != nil {
		return nil, err
	}
	if err := p.client.Do(ctx, &side.Command{Stand: &side.Stand{ID: 1, Reads: true}}); err != nil {
		return nil, err
	}
	at := time.Now()
	if err := p.client.Kill(); err != nil {
		return nil, err
	}
	p.client = nil
	ends, err := p.ends(ctx, 1)
	if err != nil {
		return nil, err
	}
	time.Sleep(side.Ended)
	after := side.Command{Idle: &side.Idle{}}
	err = p.server.Do(ctx, &after)
	return Sample{
		Seconds:      ends[1].Sub(at).Seconds(),
		MoreRoutines: float64(after.Idle.Goroutines - before.Idle.Goroutines),
	}, err
}
