package amqprpc

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
	"github.com/bbebcec1/amqprpc-go/amqprpc/describe"
	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/messaging"
)

// BenchmarkStatsAnswer is one answer to a question for the counters of 50 queues, each with
// 17 octaves of durations: with the depths of the queues, which a server finds out once a second
// at most, and the in-process broker's share of that. Once a second may take 10 ms: 1 % of a
// core.
func BenchmarkStatsAnswer(b *testing.B) {
	const queues = 50
	s := NewServer(amqptest.Start(b).URL(), WithLogger(nil))
	for i := range queues {
		Register(s, fmt.Sprint("queue ", i), func(context.Context, int) (int, error) { return 0, nil })
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx) }()
	<-s.Ready()
	for _, e := range s.endpoints {
		for d := time.Microsecond; d < 100*time.Millisecond; d += d/16 + 1 {
			e.tally.handler.add(d)
			e.tally.queued.add(d)
		}
		for i := range failureKinds {
			e.tally.end(Errorf(CodeInternal, "failure %d", i), false)
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		s.questions.depths.at = time.Time{}
		d := s.report()
		answer, err := json.Marshal(d)
		require.NoError(b, err)
		require.NotNil(b, d.Methods[queues-1].Depth)
		b.ReportMetric(float64(len(answer)), "bytes")
	}
	cancel()
	require.NoError(b, <-served)
}

// The depths are found out in bounded time, and once a second.
func TestDepths(t *testing.T) {
	t.Parallel()
	var all []*endpoint
	for i := range 20 {
		all = append(all, &endpoint{queue: fmt.Sprint(i)})
	}
	asked := 0
	d := depths{inspect: func(ctx context.Context, queue string) messaging.Inspection {
		if asked++; queue == "0" {
			return messaging.Inspection{Messages: 7, Consumers: 2}
		}
		<-ctx.Done() // a broker that does not answer
		return messaging.Inspection{Err: ctx.Err()}
	}}
	began := time.Now()
	got := d.of(all)
	require.Less(t, time.Since(began), 20*depthPatience/2)
	require.Equal(t, messaging.Inspection{Messages: 7, Consumers: 2}, got["0"])
	for _, e := range all[1:] {
		require.Error(t, got[e.queue].Err)
	}
	require.Equal(t, len(all), asked)
	d.of(all)
	require.Equal(t, len(all), asked)
	d.at = d.at.Add(-depthKept)
	d.of(all[:1])
	require.Equal(t, len(all)+1, asked)
}

// A queue that the user may not look at is looked at once.
func TestDepthRefused(t *testing.T) {
	t.Parallel()
	asked := make(map[string]int)
	d := depths{inspect: func(_ context.Context, queue string) messaging.Inspection {
		if asked[queue]++; queue == "refused" {
			return messaging.Inspection{Err: &amqp.Error{Code: amqp.AccessRefused}}
		}
		return messaging.Inspection{Err: &amqp.Error{Code: amqp.NotFound}}
	}}
	for range 3 {
		d.at = d.at.Add(-depthKept)
		got := d.of([]*endpoint{{queue: "refused"}, {queue: "gone"}})
		require.Error(t, got["refused"].Err)
	}
	require.Equal(t, map[string]int{"refused": 1, "gone": 3}, asked)
}

// FuzzQuestion reads questions of any program.
func FuzzQuestion(f *testing.F) {
	f.Add([]byte(`{"type":"amqprpc.info.v1","service":"s","queue":"q"}`), "")
	f.Add([]byte(`{"type":"amqprpc.info.v2"}`), "")
	f.Add([]byte(`[[[[`), "gzip")
	f.Fuzz(func(t *testing.T, body []byte, encoding string) {
		q, err := readQuestion(encoding, body)
		if err != nil {
			require.Equal(t, CodeInvalidArgument, err.Code())
			require.Less(t, len(err.Message()), 1000)
			return
		}
		require.Contains(t, []string{describe.TypePing, describe.TypeInfo, describe.TypeStats}, q.Type)
	})
}
