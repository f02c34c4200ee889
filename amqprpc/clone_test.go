package amqprpc_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
)

// answered is what one next returned.
type answered struct {
	resp *amqprpc.Response
	err  error
}

// both is middleware that makes two attempts at once. decide gets the end of each attempt and
// the function that cancels it; the request's own comes first.
func both(decide func(ends [2]<-chan answered, cancel [2]context.CancelFunc) (*amqprpc.Response, error)) amqprpc.Middleware {
	return func(next amqprpc.Invoker) amqprpc.Invoker {
		return func(ctx context.Context, req *amqprpc.Request) (*amqprpc.Response, error) {
			var ends [2]<-chan answered
			var cancels [2]context.CancelFunc
			var wg sync.WaitGroup
			defer wg.Wait()
			for i, r := range []*amqprpc.Request{req, req.Clone()} {
				end := make(chan answered, 1)
				ctx, cancel := context.WithCancel(ctx)
				defer cancel()
				ends[i], cancels[i] = end, cancel
				wg.Go(func() {
					resp, err := next(ctx, r)
					end <- answered{resp, err}
				})
			}
			return decide(ends, cancels)
		}
	}
}

// Each attempt has an end of its own. The one that is given up is cancelled on its server.
func TestTwoAttemptsAtOnce(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	type seen struct {
		id, corr string
		attempt  int
	}
	started, ended := make(chan seen, 2), make(chan error, 1)
	startServer(t, url, func(s *amqprpc.Server) {
		amqprpc.Register(s, queue, func(ctx context.Context, n int) (int, error) {
			r, _ := amqprpc.RequestFromContext(ctx)
			started <- seen{r.ID(), r.Delivery().CorrelationId, r.Attempt()}
			if r.Attempt() == 2 {
				return n * n, nil
			}
			<-ctx.Done()
			ended <- ctx.Err()
			return 0, ctx.Err()
		})
	})
	hasInstance(t, url, queue)
	cli := dial(t, url)
	for range 3 {
		var loser answered
		race := both(func(ends [2]<-chan answered, cancel [2]context.CancelFunc) (*amqprpc.Response, error) {
			winner, other := answered{}, 0
			select {
			case winner = <-ends[0]: // which of them is the second attempt is not said
				other = 1
			case winner = <-ends[1]:
			}
			a, b := <-started, <-started
			require.Equal(t, a.id, b.id)
			require.NotEqual(t, a.corr, b.corr)
			require.ElementsMatch(t, []int{1, 2}, []int{a.attempt, b.attempt})
			cancel[other]()
			loser = <-ends[other]
			return winner.resp, winner.err
		})
		got, err := amqprpc.Call[int, int](testContext(t), cli, queue, 3, amqprpc.WithMiddleware(race))
		require.NoError(t, err)
		require.Equal(t, 9, got)
		require.ErrorIs(t, loser.err, amqprpc.CodeCanceled)
		require.Equal(t, amqprpc.OutcomeUnknown, amqprpc.OutcomeOf(loser.err))
		require.ErrorIs(t, <-ended, context.Canceled, "the loser's handler is told")
		require.Zero(t, cli.Stats().Pending)
	}
	eventually(t, "three cancels are sent", func() bool { return cli.Stats().Cancelled == 3 })
	require.Zero(t, cli.Stats().LateReplies)
}

// Both attempts may have an answer. Each next returns its own, decoded apart.
func TestTwoAnswers(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	startServer(t, url, func(s *amqprpc.Server) {
		amqprpc.Register(s, queue, func(ctx context.Context, n []int) ([]int, error) {
			r, _ := amqprpc.RequestFromContext(ctx)
			amqprpc.ReplyHeader(ctx)["attempt"] = r.Header()["mine"]
			return append(n, r.Attempt()), nil
		})
	})
	cli := dial(t, url)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				twice := both(func(ends [2]<-chan answered, _ [2]context.CancelFunc) (*amqprpc.Response, error) {
					a, b := <-ends[0], <-ends[1]
					if err := errors.Join(a.err, b.err); err != nil {
						return nil, err
					}
					first, _ := a.resp.Message()
					second, err := b.resp.Message()
					if x, y := *first.(*[]int), *second.(*[]int); len(x) != 2 || len(y) != 2 || x[1]+y[1] != 3 {
						return nil, amqprpc.Errorf(amqprpc.CodeDataLoss, "%v and %v", x, y)
					}
					return b.resp, err
				})
				mark := func(next amqprpc.Invoker) amqprpc.Invoker {
					return func(ctx context.Context, req *amqprpc.Request) (*amqprpc.Response, error) {
						req.Header()["mine"] = "x"
						req.Body()
						return next(ctx, req)
					}
				}
				var h amqprpc.Header
				got, err := amqprpc.Call[[]int, []int](context.Background(), cli, queue, []int{7},
					amqprpc.WithMiddleware(twice, mark), amqprpc.WithHeader("a", "b"), amqprpc.WithReplyHeader(&h))
				if err != nil || len(got) != 2 || h["attempt"] != "x" {
					t.Errorf("got %v, %v, %v", got, h, err)
				}
			}
		})
	}
	wg.Wait()
	require.Zero(t, cli.Stats().Pending)
}

// The outcome of an attempt's error is the call's: what is refused does not prove that the
// other attempt did not run.
func TestOutcomeOfTwoAttempts(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	g := newGated()
	startServer(t, url, func(s *amqprpc.Server) {
		amqprpc.Register(s, queue, g.handle, amqprpc.WithMiddleware(func(next amqprpc.Invoker) amqprpc.Invoker {
			return func(ctx context.Context, req *amqprpc.Request) (*amqprpc.Response, error) {
				switch n, _ := req.Message(); {
				case *n.(*int) == 0, req.Attempt() == 2:
					amqprpc.ReplyHeader(ctx)["refused"] = "yes"
					return nil, amqprpc.Errorf(amqprpc.CodeUnavailable, "not now")
				}
				return next(ctx, req)
			}
		}))
	})
	cli := dial(t, url)
	var h amqprpc.Header
	_, err := amqprpc.Call[int, int](testContext(t), cli, queue, 3, amqprpc.WithReplyHeader(&h), amqprpc.WithMiddleware(
		both(func(ends [2]<-chan answered, _ [2]context.CancelFunc) (*amqprpc.Response, error) {
			var first, last answered
			select {
			case first = <-ends[0]:
				close(g.release)
				last = <-ends[1]
			case first = <-ends[1]:
				close(g.release)
				last = <-ends[0]
			}
			require.Equal(t, amqprpc.OutcomeUnknown, amqprpc.OutcomeOf(first.err), "the other one may run")
			require.NoError(t, last.err)
			return nil, first.err
		})))
	require.ErrorIs(t, err, amqprpc.CodeUnavailable)
	require.Equal(t, amqprpc.OutcomeUnknown, amqprpc.OutcomeOf(err))
	require.Equal(t, "yes", h["refused"])

	_, err = amqprpc.Call[int, int](testContext(t), cli, queue, 0, amqprpc.WithMiddleware(
		both(func(ends [2]<-chan answered, _ [2]context.CancelFunc) (*amqprpc.Response, error) {
			<-ends[0]
			e := <-ends[1]
			return e.resp, e.err
		})))
	require.ErrorIs(t, err, amqprpc.CodeUnavailable)
	require.Equal(t, amqprpc.OutcomeNotExecuted, amqprpc.OutcomeOf(err), "neither has run")
}

// One request runs once at a time. A second next needs a clone.
func TestSameRequestTwiceAtOnce(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	g := newGated()
	startServer(t, url, func(s *amqprpc.Server) { amqprpc.Register(s, queue, g.handle) })
	again := func(next amqprpc.Invoker) amqprpc.Invoker {
		return func(ctx context.Context, req *amqprpc.Request) (*amqprpc.Response, error) {
			end := make(chan error, 1)
			go func() {
				<-g.started
				_, err := next(ctx, req)
				end <- err
				close(g.release)
			}()
			resp, err := next(ctx, req)
			second := <-end
			require.ErrorIs(t, second, amqprpc.CodeInternal)
			require.ErrorContains(t, second, queue+": internal: a middleware called next while another next of the same request was running (Request.Clone)")
			return resp, err
		}
	}
	got, err := amqprpc.Call[int, int](testContext(t), dial(t, url), queue, 3, amqprpc.WithMiddleware(again))
	require.NoError(t, err)
	require.Equal(t, 9, got)
}

// A chain that returns ends the attempts that it has left behind.
func TestAttemptThatIsLeftBehind(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	startServer(t, url, func(s *amqprpc.Server) {
		amqprpc.Register(s, queue, func(ctx context.Context, n int) (int, error) {
			if r, _ := amqprpc.RequestFromContext(ctx); r.Header()["wait"] != "" {
				<-ctx.Done()
			}
			return n, ctx.Err()
		}, amqprpc.WithHandlerTimeout(time.Second))
	})
	cli := dial(t, url)
	left, sent := make(chan error, 2), make(chan *amqprpc.Request, 1)
	leave := func(next amqprpc.Invoker) amqprpc.Invoker {
		return func(ctx context.Context, req *amqprpc.Request) (*amqprpc.Response, error) {
			clone := req.Clone()
			clone.Header()["wait"] = "yes"
			go func() {
				_, err := next(context.WithoutCancel(ctx), clone)
				left <- err
			}()
			sent <- clone
			return next(ctx, req)
		}
	}
	got, err := amqprpc.Call[int, int](testContext(t), cli, queue, 3, amqprpc.WithMiddleware(leave))
	require.NoError(t, err)
	require.Equal(t, 3, got)
	require.ErrorIs(t, <-left, amqprpc.CodeCanceled)
	eventually(t, "nothing is pending", func() bool { return cli.Stats().Pending == 0 })

	// Nor does a clone that comes too late leave anything.
	late := (<-sent).Clone()
	require.NotNil(t, late)
	require.Zero(t, cli.Stats().Pending)
}

// Middleware that refuses both attempts has sent nothing.
func TestTwoAttemptsThatAreNotSent(t *testing.T) {
	t.Parallel()
	cli := dial(t, brokerURL(t))
	refuse := answering(nil, amqprpc.Errorf(amqprpc.CodeUnauthenticated, "no"))
	_, err := amqprpc.Call[int, int](testContext(t), cli, queueName(t), 3, amqprpc.WithMiddleware(
		both(func(ends [2]<-chan answered, _ [2]context.CancelFunc) (*amqprpc.Response, error) {
			<-ends[0]
			e := <-ends[1]
			return e.resp, e.err
		}), refuse))
	require.ErrorIs(t, err, amqprpc.CodeUnauthenticated)
	require.Equal(t, amqprpc.OutcomeNotSent, amqprpc.OutcomeOf(err))
}

// The client says where a request is, as far as it can know.
func TestWhereARequestIs(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	g := newGated()
	startServer(t, url, func(s *amqprpc.Server) {
		amqprpc.Register(s, queue, g.handle, amqprpc.WithConcurrency(1))
	})
	cli, ctx := dial(t, url), testContext(t)
	look := func(next amqprpc.Invoker) amqprpc.Invoker {
		return func(ctx context.Context, req *amqprpc.Request) (*amqprpc.Response, error) {
			require.False(t, req.HasStarted())
			looked := make(chan struct{})
			go func() {
				defer close(looked)
				<-g.started
				for !req.HasStarted() && ctx.Err() == nil {
					time.Sleep(time.Millisecond)
				}
				for {
					waiting, consumers, ok := req.InspectQueue(ctx)
					if !ok || waiting == 2 && consumers == 1 {
						break
					}
				}
				close(g.release)
			}()
			resp, err := next(ctx, req)
			<-looked
			return resp, err
		}
	}
	first := amqprpc.Go[int, int](ctx, cli, queue, 1, amqprpc.WithLiveness(time.Second), amqprpc.WithMiddleware(look))
	eventually(t, "the first has a handler", func() bool { return len(g.started) == 1 || waitingIn(t, url, queue) == 0 })
	var more []*amqprpc.Future[int]
	for range 2 {
		more = append(more, amqprpc.Go[int, int](ctx, cli, queue, 2))
	}
	for _, f := range append(more, first) {
		_, err := f.Await(ctx)
		require.NoError(t, err)
	}

	nobody := func(amqprpc.Invoker) amqprpc.Invoker {
		return func(ctx context.Context, req *amqprpc.Request) (*amqprpc.Response, error) {
			_, _, ok := req.InspectQueue(ctx)
			require.False(t, ok)
			return nil, amqprpc.CodeAborted
		}
	}
	_, err := amqprpc.Call[int, int](ctx, cli, queue+".nobody", 1, amqprpc.WithMiddleware(nobody))
	require.ErrorIs(t, err, amqprpc.CodeAborted)
}

// The innermost middleware that claims the retries has them.
func TestClaimRetries(t *testing.T) {
	t.Parallel()
	var got []bool
	claim := func(next amqprpc.Invoker) amqprpc.Invoker {
		return func(ctx context.Context, req *amqprpc.Request) (*amqprpc.Response, error) {
			mine := req.ClaimRetries()
			resp, err := next(ctx, req)
			got = append(got, req.MayRetry(mine))
			return resp, err
		}
	}
	_, err := amqprpc.Call[int, int](testContext(t), dial(t, brokerURL(t)), queueName(t), 1,
		amqprpc.WithMiddleware(claim, claim, claim))
	require.ErrorIs(t, err, amqprpc.CodeUnavailable)
	require.Equal(t, []bool{true, false, false}, got)
}

// A request and its clones have one log of attempts, whichever comes first.
func TestAttemptsOfClones(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	startServer(t, url, func(s *amqprpc.Server) {
		amqprpc.Register(s, queue, func(ctx context.Context, n int) (int, error) {
			if r, _ := amqprpc.RequestFromContext(ctx); r.Attempt() < n {
				return 0, amqprpc.CodeUnavailable
			}
			return n, nil
		})
	})
	var resp *amqprpc.Response
	var err error
	mix := func(next amqprpc.Invoker) amqprpc.Invoker {
		return func(ctx context.Context, req *amqprpc.Request) (*amqprpc.Response, error) {
			clone := req.Clone()
			require.Empty(t, req.Attempts())
			require.Empty(t, clone.Attempts())
			for _, r := range []*amqprpc.Request{clone, req, req, clone} {
				resp, err = next(ctx, r)
			}
			attempts := req.Attempts()
			require.Equal(t, attempts, clone.Attempts())
			require.NotEqual(t, req.CorrelationID(), clone.CorrelationID())
			require.Len(t, attempts, 4)
			for i, a := range attempts {
				require.Equal(t, i+1, a.Number)
				require.Equal(t, i == 0, a.Start.IsZero(), "the first begins with the call")
				if i < 3 {
					require.ErrorIs(t, a.Err, amqprpc.CodeUnavailable)
					require.False(t, a.End.Before(a.Start))
				}
			}
			last := attempts[3]
			require.Equal(t, amqprpc.Attempt{Number: 4, Start: last.Start}, last)
			return resp, err
		}
	}
	got, err := amqprpc.Call[int, int](testContext(t), dial(t, url), queue, 4, amqprpc.WithMiddleware(mix))
	require.NoError(t, err)
	require.Equal(t, 4, got)
}

// What cannot run twice at once is not cloned.
func TestCloneRefused(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	clone := func(next amqprpc.Invoker) amqprpc.Invoker {
		return func(ctx context.Context, req *amqprpc.Request) (*amqprpc.Response, error) {
			return next(ctx, req.Clone())
		}
	}
	startServer(t, url, func(s *amqprpc.Server) {
		amqprpc.Register(s, queue, square, amqprpc.WithMiddleware(clone))
		countTo(queue+".stream").Register(s, count)
	})
	cli := dial(t, url)
	_, err := amqprpc.Call[int, int](testContext(t), cli, queue, 1)
	require.ErrorIs(t, err, amqprpc.CodeInternal, "on a server")

	for _, err = range countTo(queue+".stream").Call(testContext(t), cli, 1, amqprpc.WithMiddleware(clone)) {
		require.Error(t, err)
	}
	require.ErrorIs(t, err, amqprpc.CodeInternal)
	require.ErrorContains(t, err, "Clone of the request of a server stream, which cannot be open twice")
	require.Equal(t, amqprpc.OutcomeNotSent, amqprpc.OutcomeOf(err))
}
