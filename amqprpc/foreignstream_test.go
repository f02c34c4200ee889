package amqprpc_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/protocol"
)

// foreignStream runs the client of examples/foreign/stream.py, and returns what it prints.
func foreignStream(t *testing.T, args ...any) *bufio.Scanner {
	t.Helper()
	text := make([]string, len(args))
	for i, a := range args {
		text[i] = fmt.Sprint(a)
	}
	_, out := startForeign(t, envPython, "stream.py", text...)
	return bufio.NewScanner(out)
}

// foreignError is the error that the client prints.
func foreignError(t *testing.T, lines *bufio.Scanner) (a foreignAnswer) {
	t.Helper()
	require.True(t, lines.Scan())
	require.NoError(t, json.Unmarshal(lines.Bytes(), &a), lines.Text())
	return a
}

// A client in Python, written from docs/protocol.md, reads streams of a Go server.
func TestForeignStreams(t *testing.T) {
	t.Parallel()
	url, stem := brokerURL(t), queueName(t)
	numbers, ticks, unary := countTo(stem+".numbers"), amqprpc.ServerStream[int, string](stem+".ticks"), stem+".unary"
	ends := make(chan error, 10)
	startServer(t, url, func(s *amqprpc.Server) {
		numbers.Register(s, func(ctx context.Context, n int, out *amqprpc.Sender[int]) error {
			if n < 0 {
				return amqprpc.Errorf(amqprpc.CodeOutOfRange, "%d is below zero", n).WithDetail("least", 0)
			}
			return count(ctx, n, out)
		})
		ticks.Register(s, func(ctx context.Context, _ int, out *amqprpc.Sender[string]) error {
			for {
				if err := out.Send(strings.Repeat("x", 10_000)); err != nil {
					ends <- ctx.Err()
					return err
				}
			}
		})
		amqprpc.Register(s, unary, func(ctx context.Context, _ int) (int, error) {
			<-ctx.Done()
			ends <- ctx.Err()
			return 0, ctx.Err()
		})
	})
	cancelled := func() {
		t.Helper()
		select {
		case err := <-ends:
			require.ErrorIs(t, err, context.Canceled)
		case <-time.After(patience):
			require.FailNow(t, "the handler goes on")
		}
	}

	for _, n := range []int{0, 1, 20_000} {
		lines, next := foreignStream(t, url, numbers, n), 0
		for ; lines.Scan(); next++ {
			require.Equal(t, fmt.Sprint(next), lines.Text())
		}
		require.Equal(t, n, next)
	}
	require.Equal(t, foreignAnswer{
		Code: "out_of_range", Message: "-1 is below zero", Outcome: "executed",
		Details: []any{map[string]any{"name": "least", "value": 0.0}},
	}, foreignError(t, foreignStream(t, url, numbers, -1)))
	for queue, want := range map[string][]string{
		stem + ".nobody": {"unavailable", "not-executed"},
		unary:            {"unimplemented", "not-executed"},
	} {
		a := foreignError(t, foreignStream(t, url, queue, 1))
		require.Equal(t, want, []string{a.Code, a.Outcome}, a.Message)
	}
	lines := foreignStream(t, url, ticks, 0, 5)
	for range 5 {
		require.True(t, lines.Scan())
	}
	require.False(t, lines.Scan())
	cancelled()
	a := foreignError(t, foreignStream(t, url, "--cancel", unary, 1, 0.5))
	require.Equal(t, []string{"canceled", "unknown"}, []string{a.Code, a.Outcome}, a.Message)
	cancelled()
}

// The client finds its stream in a message that has others, too.
func TestForeignStreamInASharedMessage(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	p := newPeer(t, url)
	_, opens := p.own(queue)
	mailbox := "amqprpc.instance." + p.replyTo
	_, answers := p.own(mailbox)
	lines := foreignStream(t, url, queue, 1)
	open := <-opens
	token := protocol.ParseToken([]byte(open.Headers["rpc-token"].(string)))
	frames := []protocol.StreamFrame{
		{Type: protocol.FrameAccept, Argument: 1 << 20}, item(1, "5"), {Type: protocol.FrameEnd, Number: 2},
	}
	var body []byte
	for _, to := range []protocol.Token{1, token, 2} {
		body = protocol.AppendStream(body, to, 9)
		for _, f := range frames {
			body = protocol.AppendStreamFrame(body, f)
		}
	}
	cut := append(body[:len(body):len(body)], byte(protocol.FrameStream), 0, 0, 15)
	for _, b := range [][]byte{append(cut, make([]byte, 15)...), body} {
		p.send(open.ReplyTo, amqp.Publishing{ContentType: protocol.StreamContentType, ReplyTo: mailbox, Body: b})
	}
	require.True(t, lines.Scan())
	require.Equal(t, "5", lines.Text())
	require.False(t, lines.Scan(), lines.Text())
	for _, want := range []protocol.StreamFrameType{protocol.FrameReset, protocol.FrameState} {
		_, _, frames, err := protocol.ParseStreamPreface((<-answers).Body)
		require.NoError(t, err)
		f, err := protocol.NextStreamFrame(&frames)
		require.NoError(t, err)
		require.Equal(t, want, f.Type)
	}
}
