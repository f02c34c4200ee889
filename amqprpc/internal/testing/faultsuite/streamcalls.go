package faultsuite

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
)

// streamPlan is what a call of a stream does beside its job.
type streamPlan struct {
	endless bool          // it has no deadline: the caller cancels it instead
	leave   int           // the caller leaves after so many items; zero for never
	fail    bool          // an upload's source fails after its last item
	step    time.Duration // how long the caller takes for each item
	each    func()        // called for each item that the caller sends or receives; may be nil
}

// planStream draws a stream. Many are short, some are longer than a window.
func (w *Workload) planStream(p *plan, warm bool, rng *rand.Rand) {
	once := func(n int) bool { return rng.IntN(n) == 0 }
	p.job.Items = rng.IntN(20)
	if once(3) {
		p.job.Items = rng.IntN(400)
	}
	if once(5) {
		p.job.Size = rng.IntN(w.Pad / 16)
	}
	if once(3) {
		p.job.Step = upTo(rng, w.Work) / 20
	}
	if once(4) {
		p.stream.step = upTo(rng, w.Work) / 20
	}
	p.stream.leave = rng.IntN(1 + p.job.Items)
	if !once(5) {
		p.stream.leave = 0
	}
	p.stream.fail = once(8)
	p.job.Early = once(10)
	p.stream.endless = once(3)
	p.job.Pad = nil
	if warm {
		p.job.Items, p.job.Step, p.stream.step = min(p.job.Items, 5), 0, 0
	}
}

// errSource is the error of a source.
var errSource = errors.New("the source fails, as was asked for")

// makeStream makes a call of a stream and records what passes.
func (p *plan) makeStream(ctx context.Context, c *amqprpc.Client, call *Call) (answer Answer, err error) {
	switch queue := call.Queue.Name; call.Queue.Kind {
	case amqprpc.KindServerStream:
		err = p.read(ctx, amqprpc.ServerStream[Job, Item](queue).Call(ctx, c, p.job, p.opts...), call)
	case amqprpc.KindClientStream:
		var reply Reply
		reply, err = amqprpc.ClientStream[Item, Reply](queue).Call(ctx, c, p.source(ctx, call), p.opts...)
		answer = reply.Answer
	default:
		err = p.converse(ctx, c, call)
	}
	if errors.Is(err, errSource) {
		call.Left, err = true, nil
	}
	return answer, err
}

// read receives the items of a server.
func (p *plan) read(ctx context.Context, items func(func(Item, error) bool), call *Call) error {
	for it, err := range items {
		if err != nil {
			return err
		}
		call.Flow.take(it, p.job.Size)
		p.passed()
		if n := call.Flow.Got[0].Count; n == p.stream.leave {
			call.Left = true
			return nil
		}
		_ = take(ctx, p.stream.step) // the next item is the ctx's error
	}
	call.Flow.Clean = true
	return nil
}

func (p *plan) passed() {
	if p.stream.each != nil {
		p.stream.each()
	}
}

// source yields the items of the caller.
func (p *plan) source(ctx context.Context, call *Call) func(func(Item, error) bool) {
	return func(yield func(Item, error) bool) {
		for n := range p.job.Items {
			it := newItem(call.ID, n, p.job.Size)
			if n == 0 {
				it.Job = &p.job
			}
			call.Flow.Sent++
			if !yield(it, nil) {
				return
			}
			p.passed()
			_ = take(ctx, p.stream.step)
		}
		if p.stream.fail {
			yield(Item{}, errSource)
			return
		}
		call.Flow.Done = true
	}
}

// converse sends and receives at once.
func (p *plan) converse(ctx context.Context, c *amqprpc.Client, call *Call) error {
	talk, err := amqprpc.BidiStream[Item, Item](call.Queue.Name).Open(ctx, c, p.opts...)
	if err != nil {
		return err
	}
	var sending sync.WaitGroup
	defer sending.Wait()
	defer talk.Close()
	sending.Go(func() {
		for it, err := range p.source(ctx, call) {
			if err != nil {
				talk.Close() // in the middle of what it receives
				return
			}
			if talk.Send(it) != nil {
				return
			}
		}
		if call.Flow.Done {
			_ = talk.CloseSend() // the stream's end is what All yields
		}
	})
	if err = p.read(ctx, talk.All(), call); p.stream.fail && errors.Is(err, amqprpc.CodeCanceled) && ctx.Err() == nil {
		return errSource
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return err
}

// makeBroadcast calls all servers of a queue. The error is that of the whole.
func (p *plan) makeBroadcast(ctx context.Context, c *amqprpc.Client) (answers []Answer, err error) {
	for a, failed := range amqprpc.All[Job, Reply](ctx, c, p.call.Queue.Name, p.job, p.opts...) {
		switch {
		case a.Instance == "":
			err = failed
		case failed != nil:
			answers = append(answers, Answer{Instance: a.Instance})
		default:
			answers = append(answers, Answer{ID: a.Value.ID, Run: a.Value.Run, Instance: a.Instance})
		}
	}
	return answers, err
}
