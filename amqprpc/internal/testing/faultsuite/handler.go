package faultsuite

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
)

// Job is a request. It says what its handler does.
type Job struct {
	ID   string
	Work time.Duration // how long the handler takes
	Fail bool          // the handler fails afterwards
	Pad  []byte        // makes the message longer than one frame

	// Of a stream:
	Items int           // how many each side that sends wants to send
	Size  int           // of the padding of each item
	Step  time.Duration // how long the handler takes for each item
	Early bool          // the handler returns at the first item that it receives
}

// Reply is the answer to a Job.
type Reply struct {
	Answer
	Pad []byte
}

// answerDetail is the name of the error detail that holds the Answer.
const answerDetail = "answer"

// register registers the handler of a run's queues on s. runs counts the executions of
// the server.
func register(s *amqprpc.Server, name string, runs *atomic.Int64, queues []Queue, j journal) {
	for _, q := range queues {
		// Faults kill many servers here, so a request may be delivered often. The bound
		// on deliveries has its own tests. A prefetch above the concurrency makes
		// requests wait on the server.
		opts := []amqprpc.HandlerOption{amqprpc.WithMaxDeliveries(1000), amqprpc.WithConcurrency(1), amqprpc.WithPrefetch(16)}
		if q.Quorum {
			opts = append(opts, amqprpc.WithQueue(amqprpc.Queue{Type: "quorum", Arguments: map[string]any{"x-delivery-limit": int64(1000)}}))
		}
		if q.AtMostOnce {
			opts = append(opts, amqprpc.WithAtMostOnce())
		}
		begin := func(ctx context.Context) *execution {
			r, _ := amqprpc.RequestFromContext(ctx)
			x := &execution{j: j, run: fmt.Sprintf("%s/%d", name, runs.Add(1)), id: r.ID()}
			j.Started(Execution{ID: x.id, Attempt: r.Attempt(), Run: x.run, Server: name, Instance: s.Instance(), Redelivered: r.Redelivered(), Start: time.Now()})
			return x
		}
		if q.Broadcast {
			opts = append(opts, amqprpc.WithBroadcast())
		}
		if q.Kind.IsStream() {
			registerStream(s, q, begin, opts)
			continue
		}
		amqprpc.Register(s, q.Name, func(ctx context.Context, job Job) (Reply, error) {
			return begin(ctx).work(ctx, job)
		}, opts...)
	}
}

// execution is a handler that runs. Its start is noted before anything else.
type execution struct {
	j       journal
	run, id string
	flow    Flow
}

// end notes how the execution ends, and returns the error of its handler.
func (x *execution) end(ctx context.Context, job Job, err error) error {
	answer := Answer{ID: x.id, Run: x.run}
	switch {
	case err != nil:
		x.j.Ended(x.run, time.Now(), Cancelled, x.flow)
		code := amqprpc.CodeOf(err)
		if ctx.Err() != nil {
			code = amqprpc.CodeOf(ctx.Err())
		}
		return amqprpc.NewError(code, err).WithDetail(answerDetail, answer)
	case job.Fail:
		x.j.Ended(x.run, time.Now(), Failed, x.flow)
		return amqprpc.Errorf(amqprpc.CodeDataLoss, "as was asked for").WithDetail(answerDetail, answer)
	}
	x.flow.Done = true
	x.j.Ended(x.run, time.Now(), Answered, x.flow)
	return nil
}

// work is the handler of calls, notifications and broadcasts.
func (x *execution) work(ctx context.Context, job Job) (Reply, error) {
	err := take(ctx, job.Work)
	if err = x.end(ctx, job, err); err != nil {
		return Reply{}, err
	}
	return Reply{Answer{ID: job.ID, Run: x.run}, job.Pad}, nil
}

// take takes time.
func take(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
