package faultsuite

import (
	"bytes"
	"context"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
)

// Item is a message of a stream.
type Item struct {
	Of  string // its sender: an execution, or the ID of the call
	N   int
	Job *Job // of the first item of a caller
	Pad []byte
}

// newItem makes an item, with padding that only this item has.
func newItem(of string, n, size int) Item {
	return Item{Of: of, N: n, Pad: bytes.Repeat([]byte{byte(n)}, size)}
}

// take records an item that has come.
func (f *Flow) take(it Item, size int) {
	if want := newItem(it.Of, it.N, size); !bytes.Equal(it.Pad, want.Pad) {
		it.Of = "a body that is not what was sent"
	}
	f.receive(it.Of, it.N)
}

// registerStream registers the handler of a queue of streams.
func registerStream(s *amqprpc.Server, q Queue, begin func(context.Context) *execution, opts []amqprpc.HandlerOption) {
	// Streams are bounded by WithMaxStreams alone. The bound is low, so that it is reached.
	opts = append(opts, amqprpc.WithMaxStreams(8))
	switch q.Kind {
	case amqprpc.KindServerStream:
		amqprpc.RegisterServerStream(s, q.Name, func(ctx context.Context, job Job, out *amqprpc.Sender[Item]) error {
			x := begin(ctx)
			return x.end(ctx, job, x.send(ctx, job, out))
		}, opts...)
	case amqprpc.KindClientStream:
		amqprpc.RegisterClientStream(s, q.Name, func(ctx context.Context, in *amqprpc.Receiver[Item]) (Reply, error) {
			x := begin(ctx)
			job, err := x.receive(ctx, in, func(Job) error { return nil })
			if err = x.end(ctx, job, err); err != nil {
				return Reply{}, err
			}
			return Reply{Answer: Answer{ID: x.id, Run: x.run}}, nil
		}, opts...)
	case amqprpc.KindBidiStream:
		amqprpc.RegisterBidiStream(s, q.Name, func(ctx context.Context, in *amqprpc.Receiver[Item], out *amqprpc.Sender[Item]) error {
			x := begin(ctx)
			job, err := x.receive(ctx, in, func(job Job) error { return x.sendOne(job, out) })
			return x.end(ctx, job, err)
		}, opts...)
	}
}

// send sends all items of a job.
func (x *execution) send(ctx context.Context, job Job, out *amqprpc.Sender[Item]) error {
	for range job.Items {
		if err := take(ctx, job.Step); err != nil {
			return err
		}
		if err := x.sendOne(job, out); err != nil {
			return err
		}
	}
	return nil
}

func (x *execution) sendOne(job Job, out *amqprpc.Sender[Item]) error {
	n := x.flow.Sent
	x.flow.Sent++
	return out.Send(newItem(x.run, n, job.Size))
}

// receive receives all items of a caller, and does something for each. It returns the job
// that came with the first.
func (x *execution) receive(ctx context.Context, in *amqprpc.Receiver[Item], each func(Job) error) (job Job, err error) {
	for it, err := range in.All() {
		if err != nil {
			return job, err
		}
		if it.Job != nil {
			job = *it.Job
		}
		x.flow.take(it, job.Size)
		if job.Early {
			return job, nil
		}
		if err = take(ctx, job.Step); err == nil {
			err = each(job)
		}
		if err != nil {
			return job, err
		}
	}
	x.flow.Clean = true
	return job, nil
}
