package main

import (
	"bufio"
	"context"
	"io"
	"net"
	"regexp"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestServesUntilInterrupted(t *testing.T) {
	t.Parallel()
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	out, in := io.Pipe()
	done := make(chan error, 1)
	go func() {
		err := run(ctx, []string{"-addr", "127.0.0.1:0", "-user", "me", "-password", "secret", "-vhosts", "a,b", "-follow", "4.0"}, in)
		_ = in.Close()
		done <- err
	}()
	lines := bufio.NewScanner(out)
	require.True(t, lines.Scan())
	require.Contains(t, lines.Text(), "it keeps nothing")
	require.True(t, lines.Scan())
	addr := regexp.MustCompile(`127\.0\.0\.1:\d+`).FindString(lines.Text())
	require.NotEmpty(t, addr)
	require.NotContains(t, lines.Text(), "secret")

	conn, err := amqp.Dial("amqp://me:secret@" + addr + "/b")
	require.NoError(t, err)
	closed := conn.NotifyClose(make(chan *amqp.Error, 1))
	interrupt()
	require.True(t, lines.Scan())
	require.Contains(t, lines.Text(), "closing")
	require.Equal(t, 320, (<-closed).Code)
	require.NoError(t, <-done)
}

func TestSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	require.ErrorContains(t, run(t.Context(), []string{"-addr", taken.Addr().String()}, io.Discard), "listen")
	require.Error(t, run(t.Context(), []string{"-no-such-flag"}, io.Discard))
	require.ErrorContains(t, run(t.Context(), []string{"-follow", "2.0"}, io.Discard), "3.10, 4.0 or 4.3")
}
