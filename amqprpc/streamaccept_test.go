package amqprpc_test

import (
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/protocol"
)

// A client whose accept is lost says so to the server that it hears, which sends it again.
func TestAcceptIsLost(t *testing.T) {
	t.Parallel()
	type frame = protocol.StreamFrame
	url, queue := brokerURL(t), queueName(t)
	p := newPeer(t, url)
	_, opens := p.own(queue)
	mailbox := "amqprpc.instance." + p.replyTo
	_, answers := p.own(mailbox)
	cli := dial(t, url)
	var items []int
	done := make(chan error, 1)
	go func() {
		var last error
		for n, err := range countTo(queue).Call(testContext(t), cli, 1) {
			items, last = append(items, n), err
		}
		done <- last
	}()
	open := <-opens
	client := protocol.ParseToken([]byte(open.Headers["rpc-token"].(string)))
	for _, c := range []struct {
		sent []frame
		echo uint64
	}{
		{[]frame{item(1, "5")}, 0},
		{[]frame{{Type: protocol.FrameState, Number: 1}, {Type: protocol.FrameProbe, Number: 7, Argument: 2}}, 7},
	} {
		body := protocol.AppendStream(nil, client, 9)
		for _, f := range c.sent {
			body = protocol.AppendStreamFrame(body, f)
		}
		p.send(open.ReplyTo, amqp.Publishing{ContentType: protocol.StreamContentType, ReplyTo: mailbox, Body: body})
		to, from, frames, err := protocol.ParseStreamPreface((<-answers).Body)
		require.NoError(t, err)
		require.Equal(t, []protocol.Token{9, client}, []protocol.Token{to, from})
		f, err := protocol.NextStreamFrame(&frames)
		require.NoError(t, err)
		require.Equal(t, protocol.FrameMissing, f.Type)
		require.Zero(t, f.Number)
		require.EqualValues(t, open.Headers["rpc-window"], f.Argument)
		require.Equal(t, c.echo, protocol.ParseEcho(f.Payload))
	}
	p.accept(open, client, 9, mailbox, item(1, "5"), frame{Type: protocol.FrameEnd, Number: 2})
	require.NoError(t, <-done)
	require.Equal(t, []int{5}, items)
}
