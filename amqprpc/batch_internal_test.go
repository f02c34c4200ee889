package amqprpc

import (
	"context"
	"io"
	"net"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"
)

// However long the messages that are at hand together, a batch of them is no
// longer than it pays to make it.
func TestBatchOfLongMessages(t *testing.T) {
	t.Parallel()
	const most = batchLong + 2<<20
	a, b := net.Pipe()
	read := make(chan int64, 1)
	go func() { n, _ := io.Copy(io.Discard, b); read <- n }()
	ch := &channel{link: &link{conn: &amqp.Connection{}, sock: newSock(a, a, patienceSock)}}
	body := make([]byte, 1<<20)

	ln := &lane{out: make(chan *completion, writeBatch), ch: ch, ctx: context.Background(), queue: &servedQueue{server: &Server{}}}
	w := laneWriter{lane: ln}
	for range writeBatch {
		ln.out <- &completion{to: "q", reply: amqp.Publishing{Body: body}}
	}
	close(ln.out)
	w.gather()
	require.NotEmpty(t, w.batch)
	require.LessOrEqual(t, len(w.batch), most)

	c := &Client{}
	p := &publisher{client: c, ch: ch}
	ep := &clientEpoch{calls: p, notifications: p}
	for i := range publishBatch {
		oc := &outCall{number: uint64(i), req: &Request{body: body}}
		c.prepare(ep, oc.begin("p-", nil, deadline{}))
		require.LessOrEqual(t, cap(p.batch), most)
	}
	c.flush(ep)
	a.Close()
	require.Greater(t, <-read, int64(publishBatch*len(body)))
}
