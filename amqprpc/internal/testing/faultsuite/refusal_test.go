package faultsuite

import (
	"context"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
)

// A server refuses a request, and its connection is cut at some byte of its reply. Another
// server would run the request. It must not get the request if the caller has been told
// that the request has not been and will not be executed.
func TestRefusalIsFinal(t *testing.T) {
	t.Parallel()
	refused, ran, untold := 0, 0, 0
	for at := 1; at < 700; at += 5 {
		onStage(t, nil, nil, func(t *testing.T, s *stage) {
			s.let()
			queue := "refusals"
			w := &wire{dial: s.broker.Dial}
			// The server may come back before the broker knows that it was away, and get the
			// request again. Its second refusal says nothing of the first delivery.
			came, refuse := make(chan struct{}, 10), make(chan struct{})
			defer serveOne(s, w.Dial, queue, func(amqprpc.Invoker) amqprpc.Invoker {
				return func(context.Context, *amqprpc.Request) (*amqprpc.Response, error) {
					came <- struct{}{}
					<-refuse
					return nil, amqprpc.Errorf(amqprpc.CodeResourceExhausted, "not now")
				}
			})()
			f := amqprpc.Go[int, int](context.Background(), s.client, queue, 9, amqprpc.WithTimeout(20*time.Second))
			<-came
			defer serveOne(s, s.broker.Dial, queue, func(next amqprpc.Invoker) amqprpc.Invoker { return next })()
			synctest.Wait()
			w.cutAfter(at)
			close(refuse)
			_, err := f.Await(context.Background())
			time.Sleep(time.Minute)
			switch {
			case err == nil:
				ran++
			case amqprpc.OutcomeOf(err) == amqprpc.OutcomeNotExecuted:
				refused++
				require.Zero(t, s.runs.Load(), "cut after %d bytes", at)
			default:
				untold++
				require.Equal(t, amqprpc.OutcomeUnknown, amqprpc.OutcomeOf(err))
				require.Contains(t, []amqprpc.Code{amqprpc.CodeDeadlineExceeded, amqprpc.CodeResourceExhausted}, amqprpc.CodeOf(err))
			}
		})
	}
	t.Logf("%d refused, %d run by the other server, %d untold", refused, ran, untold)
	require.NotZero(t, refused)
	require.NotZero(t, ran)
}

// serveOne starts a server of a queue with one middleware. The result stops the server.
func serveOne(s *stage, dial func(network, addr string) (net.Conn, error), queue string, m amqprpc.Middleware) func() {
	srv := amqprpc.NewServer(s.broker.URL(), amqprpc.WithLogger(nil), amqprpc.WithDialer(dial))
	amqprpc.Register(srv, queue, func(context.Context, int) (int, error) {
		s.runs.Add(1)
		return 1, nil
	}, amqprpc.WithMiddleware(m))
	return s.start(srv)
}
