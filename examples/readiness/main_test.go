package main

import (
	"bytes"
	"context"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const want = `before Serve
  probe: 503 not connected: Serve has not been called
serving
  probe: 200
  log:   level=INFO msg="amqprpc: connected" connection=square-1 broker=BROKER again=false
  log:   level=INFO msg="amqprpc: queue is served" connection=square-1 queue=examples.square
the queue was deleted; the server has declared it anew
  probe: 200
  log:   level=WARN msg="amqprpc: queue is not served any more" connection=square-1 queue=examples.square error="the broker cancelled the consumer: the queue was deleted, or its node is gone" retry_in=SOON
  log:   level=INFO msg="amqprpc: queue is served" connection=square-1 queue=examples.square
the queue was deleted, and declared otherwise by somebody else
  probe: 503 queue examples.square is not served: CONFLICT
  log:   level=WARN msg="amqprpc: queue is not served any more" connection=square-1 queue=examples.square error="the broker cancelled the consumer: the queue was deleted, or its node is gone" retry_in=SOON
  log:   level=WARN msg="amqprpc: queue is not served" connection=square-1 queue=examples.square error="CONFLICT" retry_in=SOON
that queue was deleted
  probe: 200
  log:   level=INFO msg="amqprpc: queue is served" connection=square-1 queue=examples.square
the broker is gone
  probe: 503 not connected: connect to BROKER: dial tcp BROKER: connect: connection refused
  log:   level=WARN msg="amqprpc: not connected any more" connection=square-1 error="the connection was lost: RESET" retry_in=SOON
  log:   level=WARN msg="amqprpc: not connected" connection=square-1 error="connect to BROKER: dial tcp BROKER: connect: connection refused" retry_in=SOON
the broker is back
  probe: 200
  log:   level=INFO msg="amqprpc: connected" connection=square-1 broker=BROKER again=true
  log:   level=INFO msg="amqprpc: queue is served" connection=square-1 queue=examples.square
the broker has an alarm
  probe: 503 the broker takes no messages now: low on disk
  log:   level=WARN msg="amqprpc: the broker has blocked the connection" connection=square-1 reason="low on disk"
the alarm is over
  probe: 200
  log:   level=INFO msg="amqprpc: the broker has unblocked the connection" connection=square-1
the server drains
  probe: 503 the server drains
  log:   level=INFO msg="amqprpc: server drains" connection=square-1 in_flight=1
the server has drained
  probe: 503 not connected: Serve has returned
  log:   level=INFO msg="amqprpc: server has drained" connection=square-1 handled=2
`

// changing lists the parts of the output that differ from run to run.
var changing = []struct {
	pattern *regexp.Regexp
	name    string
}{
	{regexp.MustCompile(`retry_in=\S+`), "retry_in=SOON"},
	{regexp.MustCompile(`the connection was lost: [^"]+`), "the connection was lost: RESET"},
	{regexp.MustCompile(`declare queue .* is 'false'\\?"`), "CONFLICT"},
	{regexp.MustCompile(`127\.0\.0\.1:\d+`), "BROKER"},
}

func TestOutput(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	require.NoError(t, run(context.Background(), &out))
	got := out.String()
	for _, c := range changing {
		got = c.pattern.ReplaceAllString(got, c.name)
	}
	lines := slices.Compact(strings.Split(got, "\n")) // a retry may repeat a line
	require.Equal(t, want, strings.Join(lines, "\n"))
}
