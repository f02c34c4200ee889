package bench

import (
	"context"
	"fmt"
	"time"

	"github.com/bbebcec1/amqprpc-go/benchmarks/internal/contender"
	"github.com/bbebcec1/amqprpc-go/benchmarks/internal/side"
)

// The cases of the scenario held.
const (
	IdleCase       = "an idle stream"
	StandSmallCase = "a reader that stands still, 64 B messages"
	StandLargeCase = "a reader that stands still, 64 KiB messages"
)

const (
	idleStreams = 1000
	heldSettles = time.Second // until all is sent that the reader has room for
)

// held measures the memory of streams on which nothing happens, and what is held for a reader
// that takes nothing.
func held(ctx context.Context, c *Config) (*Result, error) {
	r := &Result{
		Scenario: "held", Title: "What is held for streams that stand still", Base: contender.Framework,
		Metrics: []Metric{
			ClientHeap, ClientStacks, ClientRoutines, ServerHeap, ServerStacks, ServerRoutines,
			HeldByReceiver, HeldBySender, HeldByBroker, HeldMore,
		},
	}
	rounds := max(1, c.Rounds/5)
	c.Progress.Begin("held", 3*rounds)
	defer c.Progress.End()
	for _, x := range []struct {
		kase    string
		payload int
		run     func(context.Context, *pair) (Sample, error)
	}{{IdleCase, 0, keepStreams}, {StandSmallCase, 64, c.stand}, {StandLargeCase, 64 << 10, c.stand}} {
		s := Series{Name: contender.Framework, Case: x.kase}
		o := c.streamOptions(func(o *contender.Options) {
			if o.Payload = x.payload; x.payload > 0 {
				o.Codec = "raw"
			}
		})
		for range rounds {
			c.Progress.Step(x.kase)
			sample, err := c.once(ctx, "held", o, x.run)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", x.kase, err)
			}
			s.Samples = append(s.Samples, sample)
		}
		r.Series = append(r.Series, s)
	}
	return r, nil
}

// still is the memory and the traffic of both sides.
type still struct {
	client, server         side.Idle
	clientBytes, sentBytes int64
}

func (p *pair) still(ctx context.Context) (s still, err error) {
	for _, x := range []struct {
		proc  *side.Process
		idle  *side.Idle
		bytes *int64
		of    func(*contender.Traffic) int64
	}{
		{p.client, &s.client, &s.clientBytes, func(t *contender.Traffic) int64 { return t.Received }},
		{p.server, &s.server, &s.sentBytes, func(t *contender.Traffic) int64 { return t.Sent }},
	} {
		cmd := side.Command{Idle: &side.Idle{}}
		if err := x.proc.Do(ctx, &cmd); err != nil {
			return s, err
		}
		*x.idle = *cmd.Idle
		cmd = side.Command{Traffic: &contender.Traffic{}}
		if err := x.proc.Do(ctx, &cmd); err != nil {
			return s, err
		}
		*x.bytes = x.of(cmd.Traffic)
	}
	return s, nil
}

// keepStreams opens many streams from one goroutine. The only goroutines of users are then
// those of the handlers.
func keepStreams(ctx context.Context, p *pair) (Sample, error) {
	// One stream before: what the first one makes for all does not count.
	if err := p.client.Do(ctx, &side.Command{Talk: &side.Talk{Duration: time.Millisecond}}); err != nil {
		return nil, err
	}
	before, err := p.still(ctx)
	if err != nil {
		return nil, err
	}
	if err = p.client.Do(ctx, &side.Command{Keep: &side.Keep{Streams: idleStreams}}); err != nil {
		return nil, err
	}
	time.Sleep(heldSettles)
	after, err := p.still(ctx)
	if err != nil {
		return nil, err
	}
	each := func(a, b uint64) float64 { return kibibytes(int64(a)-int64(b)) / idleStreams }
	stacks := func(i side.Idle) uint64 { return i.Memory - i.Heap }
	return Sample{
		ClientHeap:     each(after.client.Heap, before.client.Heap),
		ClientStacks:   each(stacks(after.client), stacks(before.client)),
		ClientRoutines: float64(after.client.Goroutines-before.client.Goroutines) / idleStreams,
		ServerHeap:     each(after.server.Heap, before.server.Heap),
		ServerStacks:   each(stacks(after.server), stacks(before.server)),
		ServerRoutines: float64(after.server.Goroutines-before.server.Goroutines) / idleStreams,
	}, nil
}

func kibibytes(n int64) float64 { return float64(n) / 1024 }

// stand measures what is held for a reader that takes one message and no other.
func (c *Config) stand(ctx context.Context, p *pair) (Sample, error) {
	// One stream before: what the first one makes for all does not count.
	if err := p.client.Do(ctx, &side.Command{Quit: &side.Quit{Count: 1, Warm: quitWarm}}); err != nil {
		return nil, err
	}
	before, err := p.still(ctx)
	if err != nil {
		return nil, err
	}
	if err = p.client.Do(ctx, &side.Command{Stand: &side.Stand{}}); err != nil {
		return nil, err
	}
	time.Sleep(heldSettles)
	early, err := p.still(ctx)
	if err != nil {
		return nil, err
	}
	time.Sleep(c.Stall)
	late, err := p.still(ctx)
	if err != nil {
		return nil, err
	}
	held := func(s still) (receiver, sender, broker int64) {
		return int64(s.client.Heap) - int64(before.client.Heap), int64(s.server.Heap) - int64(before.server.Heap),
			(s.sentBytes - before.sentBytes) - (s.clientBytes - before.clientBytes)
	}
	r0, s0, b0 := held(early)
	r1, s1, b1 := held(late)
	return Sample{
		HeldByReceiver: kibibytes(r1), HeldBySender: kibibytes(s1), HeldByBroker: kibibytes(b1),
		HeldMore: kibibytes(max(r1-r0, s1-s0, b1-b0)),
	}, nil
}

const instances = 100

// InstancesCase is the case of the scenario broadcast.
const InstancesCase = "100 instances"

// broadcast calls 100 servers in one process, whose handlers do nothing.
func broadcast(ctx context.Context, c *Config) (*Result, error) {
	o := c.with(func(o *contender.Options) { o.Payload, o.Instances = 0, instances })
	s, err := c.once(ctx, "broadcast", o, func(ctx context.Context, p *pair) (Sample, error) {
		cmd := side.Command{Broadcast: &side.Broadcast{Count: 1}}
		for limit := time.Now().Add(endLimit); cmd.Broadcast.Answers < instances; { // until all take broadcasts
			if time.Now().After(limit) {
				return nil, fmt.Errorf("only %d of %d instances answer", cmd.Broadcast.Answers, instances)
			}
			if err := p.client.Do(ctx, &cmd); err != nil {
				return nil, err
			}
		}
		cmd = side.Command{Broadcast: &side.Broadcast{Count: c.Rounds}}
		err := p.client.Do(ctx, &cmd)
		return Sample{Answers: float64(cmd.Broadcast.Answers), LastAnswer: millis(cmd.Broadcast.Last), WholeRange: millis(cmd.Broadcast.Whole)}, err
	})
	if err != nil {
		return nil, err
	}
	return &Result{
		Scenario: "broadcast", Title: "A call of 100 instances in one process", Base: contender.Framework,
		Metrics: []Metric{Answers, LastAnswer, WholeRange},
		Series:  []Series{{Name: contender.Framework, Case: InstancesCase, Samples: []Sample{s}}},
	}, nil
}
