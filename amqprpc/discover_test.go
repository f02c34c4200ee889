package amqprpc_test

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/amqprpc/describe"
)

// question is a question about itself to a server, as a foreign program sends it.
func question(id int, body string) amqp.Publishing {
	return amqp.Publishing{
		Headers: amqp.Table{"rpc-queue": "amqprpc.discover"}, CorrelationId: fmt.Sprint(id), Expiration: "30000",
		ContentType: "application/json", Body: []byte(body),
	}
}

// publish publishes a message to the control exchange.
func (p *peer) publish(key string, m amqp.Publishing) {
	p.t.Helper()
	m.ReplyTo = p.replyTo
	require.NoError(p.t, p.ch.Publish("amqprpc.control", key, false, false, m))
}

// A foreign program asks as docs/protocol.md says, through the exchange and the mailbox.
func TestQuestionsOnTheWire(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	srv, _ := startServer(t, url, func(s *amqprpc.Server) { amqprpc.Register(s, queue, square) }, amqprpc.WithService(amqprpc.Service{Name: queue + " service"}))
	listening(t, url, srv)
	p, mailbox := newPeer(t, url), "amqprpc.instance."+srv.Instance()
	check := func(d amqp.Delivery, id int, kind string) {
		t.Helper()
		require.Equal(t, fmt.Sprint(id), d.CorrelationId)
		require.Equal(t, "application/json", d.ContentType)
		require.Equal(t, amqp.Table{"rpc-instance": srv.Instance()}, d.Headers)
		var got describe.Identity
		require.NoError(t, json.Unmarshal(d.Body, &got))
		require.Equal(t, kind, got.Type)
		require.Equal(t, queue+" service", got.Name)
	}
	for i, kind := range []string{describe.TypePing, describe.TypeInfo, describe.TypeStats} {
		check(p.ask(mailbox, question(i, `{"type":"`+kind+`","later":1}`)), i, kind)
		p.publish("discover", question(i, `{"type":"`+kind+`","queue":"`+queue+`","service":"`+queue+` service"}`))
		answer := p.reply()
		for answer.Headers["rpc-instance"] != srv.Instance() {
			// A server of another test has no time to read the question, and says so.
			require.Equal(t, "resource_exhausted", answer.Headers["rpc-code"])
			answer = p.reply()
		}
		check(answer, i, kind)
	}
	// Who asks for heartbeats is told that the answer comes.
	beats := question(1, `{"type":"amqprpc.stats.v1"}`)
	beats.Headers["rpc-heartbeat"] = int64(500)
	accept := p.ask(mailbox, beats)
	require.Equal(t, amqp.Table{"rpc-instance": srv.Instance(), "rpc-heartbeat": int64(500)}, accept.Headers)
	check(p.reply(), 1, describe.TypeStats)

	// Filters that exclude the server, notifications, requests that never expire, and wrong keys get no answer.
	badControl := srv.Stats().BadControl
	p.send(mailbox, question(2, `{"type":"amqprpc.ping.v1","service":"`+queue+`"}`))
	p.send(mailbox, question(2, `{"type":"amqprpc.ping.v1","queue":"`+queue+` service"}`))
	p.publish("all."+queue, question(2, `{"type":"amqprpc.ping.v1"}`))
	p.publish("cancel."+queue, question(2, `{"type":"amqprpc.ping.v1"}`))
	stays := question(2, `{"type":"amqprpc.ping.v1"}`)
	stays.Expiration = ""
	p.send(mailbox, stays)
	foreign := question(2, `{"type":"amqprpc.ping.v1"}`)
	foreign.ReplyTo = queue
	p.send(mailbox, foreign)
	require.NoError(t, p.ch.Publish("", mailbox, false, false, question(2, `{"type":"amqprpc.ping.v1"}`)))
	check(p.ask(mailbox, question(3, `{"type":"amqprpc.ping.v1"}`)), 3, describe.TypePing)
	require.EqualValues(t, 1, srv.Stats().RefusedReplyTo)
	require.Equal(t, badControl+2, srv.Stats().BadControl, "a cancel that is none, and what never expires")
}

// Each of many questions at once gets its own answer.
func TestQuestionsAtOnce(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	srv, _ := startServer(t, url, func(s *amqprpc.Server) { amqprpc.Register(s, queue, square) })
	listening(t, url, srv)
	p, mailbox := newPeer(t, url), "amqprpc.instance."+srv.Instance()
	kinds := []string{describe.TypePing, describe.TypeInfo, describe.TypeStats, "nothing"}
	for range 20 {
		const most = 16
		for i := range most {
			p.send(mailbox, question(i, `{"type":"`+kinds[i%len(kinds)]+`"}`))
		}
		for range most {
			d := p.reply()
			i, err := strconv.Atoi(d.CorrelationId)
			require.NoError(t, err)
			var got describe.Identity
			require.NoError(t, json.Unmarshal(d.Body, &got))
			switch kind, code := kinds[i%len(kinds)], d.Headers["rpc-code"]; {
			case code == "resource_exhausted": // the answers before are hardly written
			case kind == "nothing":
				require.Equal(t, "invalid_argument", code)
			default:
				require.Equal(t, kind, got.Type)
			}
		}
	}
}

// What is no question is answered with invalid_argument, and nothing else is lost by it.
func TestBadQuestions(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	srv, _ := startServer(t, url, func(s *amqprpc.Server) { amqprpc.Register(s, queue, square) })
	listening(t, url, srv)
	p, mailbox := newPeer(t, url), "amqprpc.instance."+srv.Instance()
	packed := question(0, `{"type":"amqprpc.ping.v1"}`)
	packed.ContentEncoding = "gzip"
	questions := []amqp.Publishing{packed}
	for i, body := range []string{
		``, `null`, `1`, `[]`, `{}`, `{"type":""}`, `{"type":7}`, `{"type":"amqprpc.ping.v2"}`, `{"type":"amqprpc.ping.v1","queue":[]}`,
		"\x81\xa4type", `{"type":"` + strings.Repeat("x", 5000) + `"}`, `{"type":"\u0000"}`,
		`{"queue":` + strings.Repeat("[", 4000) + `}`, `{"type":"amqprpc.ping.v1"}{}`,
	} {
		questions = append(questions, question(i+1, body))
	}
	for i, q := range questions {
		d := p.ask(mailbox, q)
		require.Equal(t, fmt.Sprint(i), d.CorrelationId)
		require.Equal(t, "invalid_argument", d.Headers["rpc-code"], "%s", q.Body)
		require.Equal(t, "not-executed", d.Headers["rpc-outcome"])
		require.Less(t, len(d.Body), 1000)
	}
	cli := dial(t, url)
	_, err := amqprpc.Call[int, int](testContext(t), cli, queue, 2)
	require.NoError(t, err)
	require.Zero(t, srv.Stats().Reconnects)
	require.EqualValues(t, len(questions), srv.Stats().Failed[amqprpc.CodeInvalidArgument])
	// The name is no queue.
	_, err = amqprpc.Call[int, int](testContext(t), cli, amqprpc.DiscoverQueue, 2)
	require.ErrorIs(t, err, amqprpc.CodeUnavailable)
	require.Equal(t, amqprpc.OutcomeNotExecuted, amqprpc.OutcomeOf(err))
}

// A server answers only so many questions at once, and refuses the others at once.
func TestTooManyQuestions(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	began, goOn := make(chan struct{}), make(chan struct{})
	srv, _ := startServer(t, url, func(s *amqprpc.Server) { amqprpc.Register(s, queue, square) },
		amqprpc.WithSchemas(func(reflect.Type) (json.RawMessage, error) {
			began <- struct{}{}
			<-goOn
			return json.RawMessage(`{}`), nil
		}))
	listening(t, url, srv)
	p, mailbox := newPeer(t, url), "amqprpc.instance."+srv.Instance()
	const most = 16
	for i := range most {
		p.send(mailbox, question(i, `{"type":"amqprpc.info.v1"}`))
	}
	<-began
	require.Equal(t, "resource_exhausted", p.ask(mailbox, question(most, `{"type":"amqprpc.ping.v1"}`)).Headers["rpc-code"])
	close(goOn)
	for range most {
		require.Nil(t, p.reply().Headers["rpc-code"])
	}
	eventually(t, "there is room again", func() bool {
		return p.ask(mailbox, question(1, `{"type":"amqprpc.ping.v1"}`)).Headers["rpc-code"] == nil
	})
}

// An answer that is larger than a message may be is an error, and nothing else suffers.
func TestAnswerTooLarge(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	srv, _ := startServer(t, url, func(s *amqprpc.Server) {
		amqprpc.Register(s, queue, square, amqprpc.WithDoc(strings.Repeat("long ", 10_000)))
	}, amqprpc.WithMaxMessageSize(10_000))
	listening(t, url, srv)
	p, mailbox := newPeer(t, url), "amqprpc.instance."+srv.Instance()
	require.Equal(t, "resource_exhausted", p.ask(mailbox, question(1, `{"type":"amqprpc.info.v1"}`)).Headers["rpc-code"])
	require.Nil(t, p.ask(mailbox, question(2, `{"type":"amqprpc.ping.v1"}`)).Headers["rpc-code"])
}

// With WithoutControl nobody answers.
func TestDiscoveryWithoutControl(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	srv, _ := startServer(t, url, func(s *amqprpc.Server) { amqprpc.Register(s, queue, square) }, amqprpc.WithoutControl())
	cli := dial(t, url)
	for a, err := range amqprpc.All[describe.Query, describe.Ping](testContext(t), cli, amqprpc.DiscoverQueue, describe.Query{Type: describe.TypePing, Queue: queue}) {
		require.ErrorIs(t, err, amqprpc.ErrNoInstance)
		require.Zero(t, a)
	}
	require.Zero(t, srv.Stats().InstanceRequests)
}

// statsOf asks a server for its counters, and returns those of a queue.
func statsOf(t *testing.T, cli *amqprpc.Client, srv *amqprpc.Server, queue string) describe.MethodStats {
	t.Helper()
	d, err := amqprpc.Call[describe.Query, describe.Stats](testContext(t), cli, amqprpc.DiscoverQueue, describe.Query{Type: describe.TypeStats}, amqprpc.WithInstance(srv.Instance()))
	require.NoError(t, err)
	for _, m := range d.Methods {
		if m.Queue == queue {
			return m
		}
	}
	require.FailNow(t, "no such queue")
	panic("unreachable")
}

// Every request that ends is counted once, by its code, whatever ended it.
func TestStatsCountRequests(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	blocked, goOn := make(chan struct{}, 1), make(chan struct{})
	srv, _ := startServer(t, url, func(s *amqprpc.Server) {
		amqprpc.Register(s, queue, func(ctx context.Context, what string) (string, error) {
			switch what {
			case "panic":
				panic("told to")
			case "fail":
				return "", amqprpc.Errorf(amqprpc.CodeNotFound, "no %s", what)
			case "own code":
				return "", amqprpc.Errorf("my_own", "no")
			case "wait":
				blocked <- struct{}{}
				select {
				case <-goOn:
				case <-ctx.Done():
					return "", ctx.Err()
				}
			case "too large":
				return strings.Repeat("x", 20_000), nil
			}
			return what, nil
		}, amqprpc.WithBroadcast())
	}, amqprpc.WithMaxMessageSize(10_000))
	listening(t, url, srv)
	cli := dial(t, url)
	call := func(what string) { _, _ = amqprpc.Call[string, string](testContext(t), cli, queue, what) }
	for _, what := range []string{"ok", "ok", "fail", "panic", "own code", "too large"} {
		call(what)
	}
	require.NoError(t, amqprpc.Notify(testContext(t), cli, queue, "ok"))
	require.NoError(t, amqprpc.Notify(testContext(t), cli, queue, "fail"))
	p := newPeer(t, url)
	p.ask(queue, amqp.Publishing{CorrelationId: "1", Body: []byte("no JSON")})
	for range amqprpc.All[string, string](testContext(t), cli, queue, "ok") {
	}
	var m describe.MethodStats
	eventually(t, "the notifications are handled", func() bool {
		m = statsOf(t, cli, srv, queue)
		return m.Total() == 10
	})
	require.Equal(t, map[string]int64{"ok": 4, "not_found": 2, "internal": 1, "unknown": 1, "resource_exhausted": 1, "invalid_argument": 1}, m.Calls)
	require.EqualValues(t, 1, m.Refused, "what did not decode")
	require.EqualValues(t, 9, m.Handler.Count)
	require.EqualValues(t, 9, m.Queued.Count)
	require.Len(t, m.Failures, 5)
	require.Zero(t, m.InFlight)
	require.Zero(t, m.Waiting)

	// One whose caller gives up, and one whose deadline passes.
	ctx, cancel := context.WithCancel(testContext(t))
	f := amqprpc.Go[string, string](ctx, cli, queue, "wait")
	<-blocked
	require.EqualValues(t, 1, statsOf(t, cli, srv, queue).InFlight)
	cancel()
	_, err := f.Await(testContext(t))
	require.Error(t, err)
	_, err = amqprpc.Call[string, string](testContext(t), cli, queue, "wait", amqprpc.WithTimeout(50*time.Millisecond))
	require.Error(t, err)
	eventually(t, "both have ended", func() bool {
		m = statsOf(t, cli, srv, queue)
		return m.Calls["canceled"] == 1 && m.Calls["deadline_exceeded"] == 1
	})
	require.EqualValues(t, 12, m.Total())
	require.Equal(t, m.Failures[0].Last.Before(m.Failures[1].Last), false)
	close(goOn)
}

// A handler that returns after its deadline is counted once, as what its caller got.
func TestStatsOfALateResult(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	goOn := make(chan struct{})
	srv, _ := startServer(t, url, func(s *amqprpc.Server) {
		amqprpc.Register(s, queue, func(context.Context, int) (int, error) {
			<-goOn
			return 0, amqprpc.CodeAborted
		}, amqprpc.WithHandlerTimeout(time.Millisecond))
	})
	listening(t, url, srv)
	cli := dial(t, url)
	_, err := amqprpc.Call[int, int](testContext(t), cli, queue, 1)
	require.ErrorIs(t, err, amqprpc.CodeDeadlineExceeded)
	close(goOn)
	eventually(t, "the handler has returned", func() bool { return srv.Stats().LateResults == 1 })
	m := statsOf(t, cli, srv, queue)
	require.Equal(t, map[string]int64{"deadline_exceeded": 1}, m.Calls)
	require.NotContains(t, srv.Stats().Failed, amqprpc.CodeAborted)
}

// A stream counts as one request, and its duration is its handler's time.
func TestStatsCountStreams(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	srv, _ := startServer(t, url, func(s *amqprpc.Server) {
		amqprpc.RegisterServerStream(s, queue, func(_ context.Context, n int, out *amqprpc.Sender[int]) error {
			for i := range n {
				if err := out.Send(i); err != nil {
					return err
				}
			}
			if n == 0 {
				return amqprpc.CodeOutOfRange
			}
			return nil
		})
	})
	listening(t, url, srv)
	cli := dial(t, url)
	for _, n := range []int{3, 0, 5} {
		for range (amqprpc.ServerStream[int, int](queue)).Call(testContext(t), cli, n) {
		}
	}
	_, err := amqprpc.Call[int, int](testContext(t), cli, queue, 1)
	require.ErrorIs(t, err, amqprpc.CodeUnimplemented)
	m := statsOf(t, cli, srv, queue)
	require.Equal(t, map[string]int64{"ok": 2, "out_of_range": 1, "unimplemented": 1}, m.Calls)
	require.EqualValues(t, 1, m.Refused)
	require.EqualValues(t, 3, m.Handler.Count)
}

// Requests that wait are counted, and so is what the broker still has.
func TestStatsOfABusyServer(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	goOn := make(chan struct{})
	srv, _ := startServer(t, url, func(s *amqprpc.Server) {
		amqprpc.Register(s, queue, func(context.Context, int) (int, error) {
			<-goOn
			return 0, nil
		}, amqprpc.WithConcurrency(1), amqprpc.WithPrefetch(3))
	})
	listening(t, url, srv)
	cli := dial(t, url)
	for range 8 {
		require.NoError(t, amqprpc.Notify(testContext(t), cli, queue, 1))
	}
	var m describe.MethodStats
	eventually(t, "all is where it belongs", func() bool {
		m = statsOf(t, cli, srv, queue)
		return m.InFlight == 1 && m.Waiting == 2 && m.Depth != nil && *m.Depth == 5
	})
	require.Equal(t, 1, *m.Consumers)
	require.True(t, m.Served)
	close(goOn)
}

// A redelivered request is counted, and so is a queue that is not served.
func TestStatsOfRedelivery(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	p := newPeer(t, url)
	_, err := p.ch.QueueDeclare(queue, true, false, false, false, nil)
	require.NoError(t, err)
	p.send(queue, amqp.Publishing{CorrelationId: "1", Body: []byte("2")})
	eventually(t, "it was delivered once", func() bool {
		d, ok, err := p.ch.Get(queue, false)
		return err == nil && ok && d.Nack(false, true) == nil
	})
	srv, _ := startServer(t, url, func(s *amqprpc.Server) { amqprpc.Register(s, queue, square) })
	require.Equal(t, "4", string(p.reply().Body))
	listening(t, url, srv)
	m := statsOf(t, dial(t, url), srv, queue)
	require.EqualValues(t, 1, m.Redelivered)
	require.Equal(t, map[string]int64{"ok": 1}, m.Calls)
}
