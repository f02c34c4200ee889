package faultsuite

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
)

// Workload is the traffic of a run.
type Workload struct {
	Rec     *Recorder
	Seed    uint64
	URL     string                 // of the broker, or of a proxy before it
	Options []amqprpc.ClientOption // of every client
	Queues  []Queue
	Clients int // how many clients, of different kinds
	Callers int // how many goroutines call with each client
	// Timeout, Work and Pause are upper bounds: of the timeout of a call, of the time
	// that a handler takes, and of the pause of a caller between two calls.
	Timeout, Work, Pause time.Duration
	Pad                  int // upper bound of the padding that some bodies have
	// Quick reports whether the handlers of a queue take no time, except one in a hundred;
	// nil means of no queue. Each caller first makes Warm such calls without a pause.
	Quick func(Queue) bool
	Warm  int
	// Dialled is called when the clients are connected, Ended before they are closed. Calm is
	// called when ctx is done and all calls have returned. It waits for the end of the faults,
	// and calls go on until the ctx that it returns is done. All may be nil.
	Dialled func([]*amqprpc.Client)
	Calm    func([]*amqprpc.Client) context.Context
	Ended   func()
}

// kinds are the kinds of clients that a workload has, in turn.
var kinds = [...]struct {
	name string
	opts []amqprpc.ClientOption
}{
	{"resumable", nil},
	{"resumable without confirms", []amqprpc.ClientOption{amqprpc.WithoutConfirms()}},
	{"exclusive", []amqprpc.ClientOption{amqprpc.WithReplyMode(amqprpc.ReplyExclusive)}},
	{"direct", []amqprpc.ClientOption{amqprpc.WithReplyMode(amqprpc.ReplyDirect)}},
}

// Run makes calls until ctx is done, waits for the last call to return, and closes the
// clients. It returns the error of a client that cannot connect.
func (w *Workload) Run(ctx context.Context) error {
	clients := make([]*amqprpc.Client, w.Clients)
	names := make([]string, w.Clients)
	defer func() {
		for i, c := range clients {
			if c == nil {
				continue
			}
			c.Close()
			if n := c.Stats().Pending; n != 0 {
				w.Rec.Leave(fmt.Sprintf("%s has %d pending calls after its end", names[i], n))
			}
		}
	}()
	for i := range clients {
		kind := kinds[i%len(kinds)]
		names[i] = fmt.Sprintf("client%d (%s)", i, kind.name)
		opts := append([]amqprpc.ClientOption{
			amqprpc.WithLogger(nil), amqprpc.WithConnectionName(fmt.Sprintf("client%d", i)),
		}, w.Options...)
		var err error
		if clients[i], err = amqprpc.Dial(context.WithoutCancel(ctx), w.URL, append(opts, kind.opts...)...); err != nil {
			return err
		}
	}
	if w.Dialled != nil {
		w.Dialled(clients)
	}
	w.traffic(ctx, clients, names, "c")
	if w.Calm != nil {
		w.traffic(w.Calm(clients), clients, names, "calm")
	}
	if w.Ended != nil {
		w.Ended()
	}
	return nil
}

// traffic makes calls until ctx is done, and waits for them. Their IDs begin with prefix.
func (w *Workload) traffic(ctx context.Context, clients []*amqprpc.Client, names []string, prefix string) {
	var callers sync.WaitGroup
	for i, c := range clients {
		for n := range w.Callers {
			rng := rand.New(rand.NewPCG(w.Seed, uint64(i*w.Callers+n+1)))
			callers.Go(func() {
				for k := 0; ctx.Err() == nil; k++ {
					w.call(c, w.plan(names[i], fmt.Sprintf("%s%d.%d.%d", prefix, i, n, k), k < w.Warm, rng))
					if rest := upTo(rng, w.Pause); k >= w.Warm {
						pause(ctx, rest)
					}
				}
			})
		}
	}
	callers.Wait()
}

// upTo returns a random duration up to most. Short durations are more likely.
func upTo(rng *rand.Rand, most time.Duration) time.Duration {
	x := rng.Float64()
	return time.Duration(x * x * float64(most))
}

// pause waits for d or until ctx is done.
func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// plan is a call that has been drawn but not made.
type plan struct {
	call    Call
	job     Job
	opts    []amqprpc.CallOption
	timeout time.Duration
	cancel  time.Duration // when the caller cancels the call; zero for never
	stream  streamPlan
}

// atLimits are options at the limits of their values, which change nothing that the
// guarantees say.
var atLimits = []amqprpc.CallOption{
	amqprpc.WithTimeout(math.MaxInt64),
	amqprpc.WithTimeout(math.MinInt64),
	amqprpc.WithLiveness(math.MaxInt64),
	amqprpc.WithPriority(math.MaxUint8),
	amqprpc.WithHeader("h", strings.Repeat("x", 7<<10)),
	amqprpc.WithHeader("\xff\x00\n", "\xff\x00\n"),
}

// plan draws a call or a notification of a random kind. It draws everything that is random,
// so a seed draws the same however the calls end.
func (w *Workload) plan(client, id string, warm bool, rng *rand.Rand) plan {
	once := func(n int) bool { return rng.IntN(n) == 0 }
	call := Call{ID: id, Client: client, Queue: w.Queues[rng.IntN(len(w.Queues))]}
	job := Job{ID: id, Work: upTo(rng, w.Work), Fail: once(10)}
	if rare := once(100); warm || w.Quick != nil && w.Quick(call.Queue) && !rare {
		job.Work = 0
	}
	if once(10) {
		job.Pad = make([]byte, rng.IntN(w.Pad))
	}
	opts := []amqprpc.CallOption{amqprpc.WithCallID(id)}
	call.Notification = once(5) && !call.Queue.Kind.IsStream()
	call.Idempotent = once(2) && !call.Queue.AtMostOnce
	call.Persistent = once(2) || call.Queue.Quorum
	if call.Idempotent {
		opts = append(opts, amqprpc.WithIdempotent())
	}
	if call.Persistent {
		opts = append(opts, amqprpc.WithPersistent())
	}
	if once(5) && call.Idempotent && !call.Notification && !call.Queue.Broadcast && !call.Queue.Kind.IsStream() {
		opts = append(opts, amqprpc.WithMiddleware(twice(upTo(rng, w.Work))))
	}
	if once(20) {
		opts = append(opts, amqprpc.WithFailFast())
	}
	if once(5) {
		opts = append(opts, atLimits[rng.IntN(len(atLimits))])
	}
	if once(5) {
		opts = append(opts, amqprpc.WithLiveness(time.Second))
	}
	timeout := 20*time.Millisecond + upTo(rng, w.Timeout)
	cancel := upTo(rng, w.Timeout)
	if !once(10) || cancel >= timeout {
		cancel = 0
	}
	p := plan{call: call, job: job, opts: opts, timeout: timeout, cancel: cancel}
	if call.Queue.Kind.IsStream() {
		w.planStream(&p, warm, rng)
	}
	return p
}

// twice is middleware that makes a second attempt beside the first after a time, as hedging
// does. The first answer counts, and the other attempt is cancelled.
func twice(after time.Duration) amqprpc.Middleware {
	type end struct {
		resp *amqprpc.Response
		err  error
	}
	return func(next amqprpc.Invoker) amqprpc.Invoker {
		return func(ctx context.Context, req *amqprpc.Request) (*amqprpc.Response, error) {
			ctx, cancel := context.WithCancel(ctx)
			defer cancel()
			second := req.Clone()
			ends := make(chan end, 2)
			var running sync.WaitGroup
			defer running.Wait()
			defer cancel()
			running.Go(func() {
				resp, err := next(ctx, req)
				ends <- end{resp, err}
			})
			running.Go(func() {
				pause(ctx, after)
				resp, err := next(ctx, second)
				ends <- end{resp, err}
			})
			e := <-ends
			if amqprpc.OutcomeOf(e.err) != amqprpc.OutcomeExecuted {
				e = <-ends
			}
			return e.resp, e.err
		}
	}
}

// call makes a planned call, and records it and its result.
func (w *Workload) call(c *amqprpc.Client, p plan) {
	call := p.call
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	call.Limit = time.Now().Add(p.timeout)
	if p.stream.endless {
		p.cancel = p.timeout
	} else {
		var done context.CancelFunc
		ctx, done = context.WithDeadline(ctx, call.Limit)
		defer done()
	}
	if !call.Notification && !p.stream.endless {
		call.Expiry = call.Limit
	}
	call.Start = time.Now()
	if p.cancel > 0 {
		call.Limit = call.Start.Add(p.cancel)
		defer time.AfterFunc(p.cancel, cancel).Stop()
	}
	place := w.Rec.begin(call)
	var answer Answer
	var err error
	switch {
	case call.Queue.Kind.IsStream():
		answer, err = p.makeStream(ctx, c, &call)
	case call.Queue.Broadcast && call.Notification:
		err = amqprpc.NotifyAll(ctx, c, call.Queue.Name, p.job, p.opts...)
	case call.Queue.Broadcast:
		call.Answers, err = p.makeBroadcast(ctx, c)
	case call.Notification:
		err = amqprpc.Notify(ctx, c, call.Queue.Name, p.job, p.opts...)
	default:
		var reply Reply
		reply, err = amqprpc.Call[Job, Reply](ctx, c, call.Queue.Name, p.job, p.opts...)
		answer = reply.Answer
		if err == nil && !slices.Equal(reply.Pad, p.job.Pad) {
			answer = Answer{ID: "a body that is not what was sent"}
		}
	}
	end := time.Now()
	if err != nil {
		answer, _ = amqprpc.Detail[Answer](err, answerDetail)
	}
	w.Rec.end(place, func(c *Call) {
		c.End, c.Answer = end, answer
		c.Left, c.Flow, c.Answers = call.Left, call.Flow, call.Answers
		if err != nil {
			c.Err, c.Code, c.Outcome = err.Error(), amqprpc.CodeOf(err), amqprpc.OutcomeOf(err)
		}
	})
}
