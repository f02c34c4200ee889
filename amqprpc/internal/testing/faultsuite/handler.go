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
		amqprpc.Register(s, q.Name, func(ctx context.Context, job Job) (Reply, error) {
			return work(ctx, job, fmt.Sprintf("%s/%d", name, runs.Add(1)), name, j)
		}, opts...)
	}
}

// work is the handler. It notes its start before it does anything else.
func work(ctx context.Context, job Job, run, server string, j journal) (Reply, error) {
	r, _ := amqprpc.RequestFromContext(ctx)
	e := Execution{ID: r.ID(), Attempt: r.Attempt(), Run: run, Server: server, Redelivered: r.Redelivered(), Start: time.Now()}
	j.Started(e)
	answer := Answer{ID: job.ID, Run: run}
	if job.Work > 0 {
		t := time.NewTimer(job.Work)
		defer t.Stop()
		select {
		case <-t.C:
		case <-ctx.Done():
			j.Ended(run, time.Now(), Cancelled)
			return Reply{}, amqprpc.NewError(amqprpc.CodeOf(ctx.Err()), ctx.Err()).WithDetail(answerDetail, answer)
		}
	}
	if job.Fail {
		j.Ended(run, time.Now(), Failed)
		return Reply{}, amqprpc.Errorf(amqprpc.CodeDataLoss, "as was asked for").WithDetail(answerDetail, answer)
	}
	j.Ended(run, time.Now(), Answered)
	return Reply{answer, job.Pad}, nil
}
