package amqprpc_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
)

// Bad messages to a mailbox are answered, or ignored and counted. No handler runs for them, and
// the next request works.
func TestBadInputInTheMailbox(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	var runs atomic.Int64
	srv := instances(t, url, queue, 1, func(context.Context, string, int) (string, error) {
		runs.Add(1)
		return "", nil
	}, amqprpc.WithMaxDeliveries(1))[0]
	plain, _ := startServer(t, url, func(s *amqprpc.Server) { // takes no broadcasts
		amqprpc.Register(s, queue+".plain", func(context.Context, int) (int, error) { runs.Add(1); return 0, nil })
		amqprpc.RegisterServerStream(s, queue+".stream", func(context.Context, int, *amqprpc.Sender[int]) error { runs.Add(1); return nil })
	})
	listening(t, url, plain)
	p := newPeer(t, url)
	box, plainBox := "amqprpc.instance."+srv.Instance(), "amqprpc.instance."+plain.Instance()
	// Somebody binds the mailbox of a handler that asked for no broadcasts.
	require.NoError(t, p.ch.QueueBind(plainBox, "all."+queue+".plain", "amqprpc.control", false, nil))

	meant := amqp.Table{"rpc-queue": queue}
	for name, c := range map[string]struct {
		exchange, key string
		m             amqp.Publishing
		code          string // "" is no answer
		bad           bool   // counted as a control message that cannot be read
		to            *amqprpc.Server
	}{
		"nothing":                                 {key: box, bad: true},
		"an empty rpc-queue":                      {key: box, m: amqp.Publishing{Headers: amqp.Table{"rpc-queue": ""}, Expiration: "1000"}, bad: true},
		"an rpc-queue that is no string":          {key: box, m: amqp.Publishing{Headers: amqp.Table{"rpc-queue": int64(7)}, Expiration: "1000"}, bad: true},
		"an rpc-queue of a table":                 {key: box, m: amqp.Publishing{Headers: amqp.Table{"rpc-queue": amqp.Table{"a": "b"}}, Expiration: "1000"}, bad: true},
		"no expiration":                           {key: box, m: amqp.Publishing{Headers: meant, Body: []byte("1")}, bad: true},
		"a queue that is not served":              {key: box, m: amqp.Publishing{Headers: amqp.Table{"rpc-queue": "nobody"}, Expiration: "1000"}, code: "unimplemented"},
		"a very long queue":                       {key: box, m: amqp.Publishing{Headers: amqp.Table{"rpc-queue": strings.Repeat("q", 5000)}, Expiration: "1000"}, code: "unimplemented"},
		"a queue of streams":                      {key: plainBox, m: amqp.Publishing{Headers: amqp.Table{"rpc-queue": queue + ".stream"}, Expiration: "1000"}, code: "unimplemented", to: plain},
		"a stream":                                {key: box, m: amqp.Publishing{Headers: amqp.Table{"rpc-queue": queue, "rpc-stream": "server", "rpc-token": "00000000000000aa", "rpc-window": int64(1)}, Expiration: "1000"}, code: "unimplemented"},
		"a reply_to that is not allowed":          {key: box, m: amqp.Publishing{Headers: meant, Expiration: "1000", ReplyTo: "orders", Body: []byte("1")}},
		"a body that does not decode":             {key: box, m: amqp.Publishing{Headers: meant, Expiration: "1000", Body: []byte("{")}, code: "invalid_argument"},
		"a content type that nobody knows":        {key: box, m: amqp.Publishing{Headers: meant, Expiration: "1000", ContentType: "text/html", Body: []byte("1")}, code: "invalid_argument"},
		"a content encoding":                      {key: box, m: amqp.Publishing{Headers: meant, Expiration: "1000", ContentEncoding: "gzip", Body: []byte("1")}, code: "invalid_argument"},
		"a version of the future":                 {key: box, m: amqp.Publishing{Headers: amqp.Table{"rpc-queue": queue, "rpc-version": int64(9)}, Expiration: "1000", Body: []byte("1")}, code: "unimplemented"},
		"a deadline that is no integer":           {key: box, m: amqp.Publishing{Headers: amqp.Table{"rpc-queue": queue, "rpc-deadline": "soon"}, Expiration: "1000", Body: []byte("1")}, code: "invalid_argument"},
		"a deadline that has passed":              {key: box, m: amqp.Publishing{Headers: amqp.Table{"rpc-queue": queue, "rpc-deadline": int64(1)}, Expiration: "1000", Body: []byte("1")}, code: "deadline_exceeded"},
		"headers that are too large":              {key: box, m: amqp.Publishing{Headers: amqp.Table{"rpc-queue": queue, "x": strings.Repeat("x", 9000)}, Expiration: "1000", Body: []byte("1")}, code: "resource_exhausted"},
		"a broadcast that was not asked for":      {exchange: "amqprpc.control", key: "all." + queue + ".plain", m: amqp.Publishing{Headers: amqp.Table{"rpc-queue": queue + ".plain"}, Expiration: "1000", Body: []byte("1")}, bad: true, to: plain},
		"a broadcast for another queue":           {exchange: "amqprpc.control", key: "all." + queue, m: amqp.Publishing{Headers: amqp.Table{"rpc-queue": queue + ".plain"}, Expiration: "1000", Body: []byte("1")}, bad: true},
		"a broadcast without a queue":             {exchange: "amqprpc.control", key: "all." + queue, m: amqp.Publishing{Expiration: "1000", Body: []byte("1")}, bad: true},
		"a broadcast that is a cancel":            {exchange: "amqprpc.control", key: "all." + queue, m: amqp.Publishing{Type: "cancel", Expiration: "1000", Body: []byte("[]")}, bad: true},
		"a request by way of the key of a cancel": {exchange: "amqprpc.control", key: "cancel." + queue, m: amqp.Publishing{Headers: meant, Expiration: "1000", Body: []byte("1")}, bad: true},
	} {
		to := c.to
		if to == nil {
			to = srv
		}
		c.m.CorrelationId = name
		if c.m.ReplyTo == "" {
			c.m.ReplyTo = p.replyTo
		}
		before := to.Stats()
		require.NoError(t, p.ch.Publish(c.exchange, c.key, true, false, c.m), name)
		switch {
		case c.code != "":
			d := p.reply()
			require.Equal(t, name, d.CorrelationId)
			require.Equal(t, c.code, d.Headers["rpc-code"], "%s: %s", name, d.Body)
			require.Equal(t, "not-executed", d.Headers["rpc-outcome"], name)
			require.Equal(t, to.Instance(), d.Headers["rpc-instance"], name)
		case c.bad:
			eventually(t, name, func() bool { return to.Stats().BadControl == before.BadControl+1 })
		default:
			eventually(t, name, func() bool { return to.Stats().RefusedReplyTo == before.RefusedReplyTo+1 })
		}
	}
	require.Zero(t, runs.Load(), "no handler ran")
	// A request may say of itself that it was delivered often: the mailbox does not believe it.
	d := p.ask(box, amqp.Publishing{
		Headers:    amqp.Table{"rpc-queue": queue, "rpc-deliveries": int32(100), "x-delivery-count": int64(100)},
		Expiration: "60000", CorrelationId: "good", Body: []byte("1"),
	})
	require.NotContains(t, d.Headers, "rpc-code", "%s", d.Body)
	require.EqualValues(t, 1, runs.Load())
	require.Empty(t, p.replies)
	require.Zero(t, srv.Stats().Reconnects+plain.Stats().Reconnects)
}

// The same request that comes again, from whomever, does not run again. Another client's request
// with the same id does.
func TestRepeatedMailboxRequest(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	var runs atomic.Int64
	srv := instances(t, url, queue, 1, func(context.Context, string, int) (string, error) { return fmt.Sprint(runs.Add(1)), nil })[0]
	p, other := newPeer(t, url), newPeer(t, url)
	m := amqp.Publishing{Headers: amqp.Table{"rpc-queue": queue}, Expiration: "60000", CorrelationId: "one", MessageId: "call", Body: []byte("1")}
	for range 5 {
		p.send("amqprpc.instance."+srv.Instance(), m)
		m.ReplyTo = p.replyTo
		require.NoError(t, p.ch.Publish("amqprpc.control", "all."+queue, true, false, m))
		m.ReplyTo = ""
	}
	require.Equal(t, `"1"`, string(p.reply().Body))
	eventually(t, "all have come", func() bool { return srv.Stats().InstanceRepeated == 9 })
	require.Equal(t, `"2"`, string(other.ask("amqprpc.instance."+srv.Instance(), m).Body))
	require.Empty(t, p.replies)
	m.CorrelationId, m.MessageId, m.ReplyTo = "", "", p.replyTo
	bad := srv.Stats().BadControl
	p.send("amqprpc.instance."+srv.Instance(), m)
	eventually(t, "a request without an id is ignored", func() bool { return srv.Stats().BadControl == bad+1 })
}

// A storm of requests takes no more than the room of the mailbox. Each is answered.
func TestStormOfMailboxRequests(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	release := make(chan struct{})
	srv := instances(t, url, queue, 1, func(context.Context, string, int) (string, error) { <-release; return "", nil }, amqprpc.WithConcurrency(4))[0]
	p := newPeer(t, url)
	const many = 500
	for n := range many {
		p.send("amqprpc.instance."+srv.Instance(), amqp.Publishing{
			Headers: amqp.Table{"rpc-queue": queue}, Expiration: "60000", CorrelationId: fmt.Sprint(n), Body: []byte("1"),
		})
	}
	for range many - 4 {
		require.Equal(t, "resource_exhausted", p.reply().Headers["rpc-code"])
	}
	require.LessOrEqual(t, srv.Stats().Pending, int64(4))
	close(release)
	for range 4 {
		require.NotContains(t, p.reply().Headers, "rpc-code")
	}
}

// Accepts that nobody asked for, of strangers and of an instance that goes mad, add nothing to
// the answers that are due.
func TestStormOfAccepts(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	p := newPeer(t, url)
	requests := make(chan amqp.Delivery, 1)
	_, deliveries := p.own(queue + ".box")
	require.NoError(t, p.ch.ExchangeDeclare("amqprpc.control", "direct", true, false, false, false, nil))
	require.NoError(t, p.ch.QueueBind(queue+".box", "all."+queue, "amqprpc.control", false, nil))
	cli := dial(t, url)
	var got []string
	var mad sync.WaitGroup
	mad.Go(func() {
		d := <-deliveries
		requests <- d
		send := func(correlation string, h amqp.Table, body string) {
			if err := p.ch.Publish("", d.ReplyTo, false, false, amqp.Publishing{CorrelationId: correlation, Headers: h, Body: []byte(body)}); err != nil {
				panic(err)
			}
		}
		beat := func(h amqp.Table) amqp.Table { h["rpc-heartbeat"] = int64(100); return h }
		send("guessed", beat(amqp.Table{"rpc-instance": "stranger"}), "")
		send(d.CorrelationId+".2", beat(amqp.Table{"rpc-instance": "stranger"}), "")
		send("~"+d.CorrelationId[1:], amqp.Table{"rpc-instance": "stranger"}, `"no"`)
		for _, h := range []amqp.Table{{}, {"rpc-instance": ""}, {"rpc-instance": int64(3)}, {"rpc-instance": "a\nb"}, {"rpc-instance": strings.Repeat("x", 400)}} {
			send(d.CorrelationId, h, `"no"`)
			send(d.CorrelationId, beat(h), "")
		}
		for range 100 {
			send(d.CorrelationId, amqp.Table{"rpc-instance": "good", "rpc-heartbeat": int64(60_000)}, "")
		}
		for n := range 20_000 { // more than a broadcast waits for; they all fall silent
			send(d.CorrelationId, beat(amqp.Table{"rpc-instance": fmt.Sprint("mad", n)}), "")
		}
		for range 100 {
			send(d.CorrelationId, amqp.Table{"rpc-instance": "good"}, `"yes"`)
		}
	})
	silent := 0
	for a, err := range amqprpc.All[int, string](testContext(t), cli, queue, 1, patiently()) {
		if err == nil {
			got = append(got, a.Instance+" "+a.Value)
			continue
		}
		require.ErrorIs(t, err, amqprpc.CodeUnavailable)
		require.True(t, strings.HasPrefix(a.Instance, "mad"), a.Instance)
		silent++
	}
	mad.Wait()
	require.Equal(t, []string{"good yes"}, got)
	require.Equal(t, 1<<14-1, silent)
	require.GreaterOrEqual(t, cli.Stats().UnknownReplies, int64(10))
	require.EqualValues(t, 2000, (<-requests).Headers["rpc-heartbeat"])
}

// All over 100 instances gets 100 answers.
func TestAllOverAHundredInstances(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	const many = 100
	servers := make([]*amqprpc.Server, many)
	var starting sync.WaitGroup
	for i := range servers {
		servers[i] = amqprpc.NewServer(url, amqprpc.WithLogger(nil))
		amqprpc.Register(servers[i], queue, func(ctx context.Context, n int) (string, error) {
			return servers[i].Instance(), nil
		}, amqprpc.WithBroadcast())
		ctx, cancel := context.WithCancel(context.Background())
		served := make(chan error, 1)
		go func() { served <- servers[i].Serve(ctx) }()
		t.Cleanup(func() { cancel(); require.NoError(t, <-served) })
		starting.Go(func() { <-servers[i].Ready() })
	}
	starting.Wait()
	listening(t, url, servers...)
	cli := dial(t, url)
	for range 3 {
		seen := make(map[string]bool)
		for a, err := range amqprpc.All[int, string](testContext(t), cli, queue, 1, patiently()) {
			require.NoError(t, err)
			require.Equal(t, a.Instance, a.Value)
			require.False(t, seen[a.Instance])
			if seen[a.Instance] = true; len(seen) == many {
				break
			}
		}
		require.Len(t, seen, many)
	}
}
