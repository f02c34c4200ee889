package amqprpc_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/frame"
)

const contentTypeBatch = "application/vnd.amqprpc.replies"

// batched is a reply in a batch as docs/protocol.md defines it.
type batched struct {
	props frame.Properties
	body  []byte
}

func splitBatch(t *testing.T, b []byte) (all []batched) {
	cut := func() []byte {
		require.GreaterOrEqual(t, len(b), 4)
		n := int(binary.BigEndian.Uint32(b))
		require.GreaterOrEqual(t, len(b), 4+n)
		part := b[4 : 4+n]
		b = b[4+n:]
		return part
	}
	for len(b) > 0 {
		var r batched
		require.NoError(t, r.props.Parse(cut()))
		r.body = cut()
		all = append(all, r)
	}
	return all
}

func joinBatch(all ...batched) (b []byte) {
	for _, r := range all {
		props := r.props.Append(nil)
		b = append(binary.BigEndian.AppendUint32(b, uint32(len(props))), props...)
		b = append(binary.BigEndian.AppendUint32(b, uint32(len(r.body))), r.body...)
	}
	return b
}

// A server sends replies that are ready together in one message, but only to callers that
// announce support for batches. Replies in a batch have metadata and errors like single
// replies.
func TestServerSendsReplyBatches(t *testing.T) {
	t.Parallel()
	const calls = 30
	url, queue := brokerURL(t), queueName(t)
	var ready sync.WaitGroup
	_, stop := startServer(t, url, func(s *amqprpc.Server) {
		amqprpc.Register(s, queue, func(ctx context.Context, n int) (int, error) {
			ready.Done()
			ready.Wait()
			amqprpc.ReplyHeader(ctx)["n"] = strconv.Itoa(n)
			if n%3 == 0 {
				return 0, amqprpc.Errorf(amqprpc.CodeNotFound, "no %d", n)
			}
			return n * n, nil
		})
	})
	p := newPeer(t, url)
	round := func(h amqp.Table) (messages int) {
		ready.Add(calls)
		for n := range calls {
			p.send(queue, amqp.Publishing{CorrelationId: fmt.Sprint("c", n), ContentType: "application/json", Headers: h, Body: []byte(strconv.Itoa(n))})
		}
		answered := make(map[string]bool)
		take := func(id string, headers amqp.Table, contentType, body string) {
			require.False(t, answered[id], id)
			answered[id] = true
			n, err := strconv.Atoi(id[1:])
			require.NoError(t, err)
			require.Equal(t, id[1:], headers["n"])
			require.Equal(t, "application/json", contentType)
			if n%3 == 0 {
				require.Equal(t, "not_found", headers["rpc-code"])
				require.JSONEq(t, fmt.Sprintf(`{"code":"not_found","message":"no %d"}`, n), body)
			} else {
				require.Equal(t, strconv.Itoa(n*n), body)
			}
		}
		for ; len(answered) < calls; messages++ {
			d := p.reply()
			if d.ContentType != contentTypeBatch {
				take(d.CorrelationId, d.Headers, d.ContentType, string(d.Body))
				continue
			}
			require.NotNil(t, h, "the caller does not understand batches")
			for _, r := range splitBatch(t, d.Body) {
				table, err := frame.ParseTable(r.props.Headers)
				require.NoError(t, err)
				headers := make(amqp.Table)
				for _, f := range table {
					headers[f.Key] = f.Value
				}
				take(string(r.props.CorrelationID), headers, string(r.props.ContentType), string(r.body))
			}
		}
		return messages
	}
	require.Equal(t, calls, round(nil))
	require.Equal(t, calls, round(amqp.Table{"rpc-batches": false}))
	for tries := 0; round(amqp.Table{"rpc-batches": true}) == calls; tries++ {
		require.Less(t, tries, 100, "replies that are ready together go together")
	}
	stop()
	q, err := p.ch.QueueDeclarePassive(queue, true, false, false, false, nil)
	require.NoError(t, err)
	require.Zero(t, q.Messages, "all are acknowledged")
}

// A client handles each reply of a batch like a single reply. Of a broken batch it handles
// the replies before the defect.
func TestClientTakesReplyBatches(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	p := newPeer(t, url)
	_, requests := p.own(queue)
	for name, mode := range map[string]amqprpc.ReplyMode{
		"resumable": amqprpc.ReplyResumable, "exclusive": amqprpc.ReplyExclusive, "direct": amqprpc.ReplyDirect,
	} {
		t.Run(name, func(t *testing.T) { // sequential, because all cases share one peer
			cli := dial(t, url, amqprpc.WithReplyMode(mode))
			var meta amqprpc.Header
			futures := []*amqprpc.Future[string]{
				amqprpc.Go[string, string](testContext(t), cli, queue, "first", amqprpc.WithReplyHeader(&meta)),
				amqprpc.Go[string, string](testContext(t), cli, queue, "second"),
				amqprpc.Go[string, string](testContext(t), cli, queue, "third"),
			}
			got := make(map[string]amqp.Delivery)
			asked := 0
			for range futures {
				d := <-requests
				if d.Headers["rpc-batches"] == true {
					asked++
				}
				got[string(d.Body)] = d
			}
			require.GreaterOrEqual(t, asked, len(futures)-1, "all but one that was sent when it was alone")
			reply := func(request, body string, headers frame.Table) batched {
				r := batched{body: []byte(body)}
				r.props.Flags = frame.FlagCorrelationID | frame.FlagContentType
				r.props.CorrelationID = []byte(got[request].CorrelationId)
				r.props.ContentType = []byte("application/json")
				if headers != nil {
					r.props.Flags |= frame.FlagHeaders
					r.props.Headers = frame.AppendFields(nil, headers)
				}
				return r
			}
			send := func(body []byte) {
				require.NoError(t, p.ch.Publish("", got[`"first"`].ReplyTo, true, false, amqp.Publishing{ContentType: contentTypeBatch, Body: body}))
			}
			first := reply(`"first"`, `"one"`, frame.Table{{Key: "k", Value: "v"}})
			second := reply(`"second"`, `{"code":"not_found","message":"none"}`, frame.Table{{Key: "rpc-code", Value: "not_found"}, {Key: "rpc-outcome", Value: "executed"}})
			third := reply(`"third"`, `"three"`, nil)
			whole := joinBatch(second, third)
			send(whole[:len(whole)-1])
			_, err := futures[1].Await(testContext(t))
			require.ErrorIs(t, err, amqprpc.CodeNotFound)
			require.ErrorContains(t, err, "none")
			require.Equal(t, amqprpc.OutcomeExecuted, amqprpc.OutcomeOf(err))
			send(nil) // an empty batch
			unreadable := reply(`"first"`, `"unread"`, frame.Table{{Key: "k", Value: "v"}})
			unreadable.props.Headers = append(unreadable.props.Headers, 1) // a name without an end
			long := reply(`"first"`, `"long"`, frame.Table{{Key: "k", Value: strings.Repeat("v", 200<<10)}})
			send(joinBatch(unreadable, long, first, third, third))
			one, err := futures[0].Await(testContext(t))
			require.NoError(t, err)
			require.Equal(t, "one", one)
			require.Equal(t, amqprpc.Header{"k": "v"}, meta)
			three, err := futures[2].Await(testContext(t))
			require.NoError(t, err)
			require.Equal(t, "three", three)
			eventually(t, "all is counted", func() bool {
				s := cli.Stats()
				return s.UnknownReplies == 4 && s.RepeatedReplies+s.LateReplies == 1
			})
		})
	}
}

// If the queue of a batch is gone, each reply counts as returned.
func TestReplyBatchIsReturned(t *testing.T) {
	t.Parallel()
	const calls = 10
	url, queue := brokerURL(t), queueName(t)
	p := newPeer(t, url)
	var ready sync.WaitGroup
	ready.Add(calls + 1)
	srv, _ := startServer(t, url, func(s *amqprpc.Server) {
		amqprpc.Register(s, queue, func(_ context.Context, n int) (int, error) {
			ready.Done()
			ready.Wait()
			return n, nil
		})
	})
	for range calls {
		p.send(queue, amqp.Publishing{ContentType: "application/json", Headers: amqp.Table{"rpc-batches": true}, ReplyTo: "amq.gen-gone", Body: []byte("1")})
	}
	ready.Done()
	eventually(t, "all are returned", func() bool { return srv.Stats().ReturnedReplies == calls })
}
