package amqprpc_test

import (
	"context"
	"encoding/json"
	"io"
	"math"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/protocol"
)

// rawStream is the client's side of a stream, in the hands of somebody who keeps no rules.
type rawStream struct {
	*peer
	token  protocol.Token
	remote protocol.Token
	server string // its queue
	limit  uint64 // that the server has granted
}

// openRaw opens a stream of the kind, and takes the accept.
func openRaw(t *testing.T, url, queue, kind string) *rawStream {
	t.Helper()
	s := &rawStream{peer: newPeer(t, url), token: protocol.NewToken()}
	s.open(queue, s.opening(kind))
	return s
}

// open sends the request for the stream, and takes the accept.
func (s *rawStream) open(queue string, request amqp.Publishing) (accept protocol.StreamFrame) {
	s.t.Helper()
	d := s.ask(queue, request)
	require.Equal(s.t, protocol.StreamContentType, d.ContentType, "%s", d.Body)
	to, from, frames, err := protocol.ParseStreamPreface(d.Body)
	require.NoError(s.t, err)
	require.Equal(s.t, s.token, to)
	accept, err = protocol.NextStreamFrame(&frames)
	require.NoError(s.t, err)
	require.Equal(s.t, protocol.FrameAccept, accept.Type)
	s.remote, s.server, s.limit = from, d.ReplyTo, accept.Argument
	return accept
}

func (s *rawStream) opening(kind string) amqp.Publishing {
	return amqp.Publishing{
		ContentType: "application/json", CorrelationId: s.token.String(), Body: []byte("{}"),
		Headers: amqp.Table{"rpc-stream": kind, "rpc-token": s.token.String(), "rpc-window": int64(1 << 20)},
	}
}

// message publishes a message of the stream.
func (s *rawStream) message(frames ...protocol.StreamFrame) {
	s.t.Helper()
	body := protocol.AppendStream(nil, s.remote, s.token)
	for _, f := range frames {
		body = protocol.AppendStreamFrame(body, f)
	}
	s.publish(body)
}

func (s *rawStream) publish(body []byte) {
	s.t.Helper()
	s.send(s.server, amqp.Publishing{ContentType: protocol.StreamContentType, Body: body})
}

// next returns the next frame of one of the types.
func (s *rawStream) next(types ...protocol.StreamFrameType) protocol.StreamFrame {
	s.t.Helper()
	for {
		_, _, frames, err := protocol.ParseStreamPreface(s.reply().Body)
		require.NoError(s.t, err)
		for len(frames) > 0 {
			f, err := protocol.NextStreamFrame(&frames)
			require.NoError(s.t, err)
			for _, t := range types {
				if f.Type == t {
					return f
				}
			}
		}
	}
}

// ends returns the code of the end of the stream, or of its reset.
func (s *rawStream) ends() string {
	s.t.Helper()
	f := s.next(protocol.FrameEnd, protocol.FrameReset)
	var e struct{ Error struct{ Code string } }
	if len(f.Payload) > 0 {
		require.NoError(s.t, json.Unmarshal(f.Payload, &e))
	}
	return e.Error.Code
}

func item(n uint64, payload string) protocol.StreamFrame {
	return protocol.StreamFrame{Type: protocol.FrameItem, Number: n, Payload: []byte(payload)}
}

// spaced is the number 1 in size bytes.
func spaced(size int) string { return strings.Repeat(" ", size-1) + "1" }

// startSummer serves a client stream, and returns how its handlers end.
func startSummer(t *testing.T, url string) (queue sumOf, ends chan error, srv *amqprpc.Server) {
	t.Helper()
	queue, ends = sumOf(queueName(t)), make(chan error, 100)
	srv, _ = startServer(t, url, func(s *amqprpc.Server) {
		queue.Register(s, func(ctx context.Context, in *amqprpc.Receiver[int]) (int, error) {
			total, err := sum(ctx, in)
			ends <- err
			return total, err
		})
	})
	return queue, ends, srv
}

// Whatever a client sends on its stream, its stream alone is harmed.
func TestHostileStreamClients(t *testing.T) {
	t.Parallel()
	const huge = 1<<63 - 1
	type frame = protocol.StreamFrame
	for name, attack := range map[string]func(s *rawStream) (code string){
		"state that goes back": func(s *rawStream) string {
			s.message(frame{Type: protocol.FrameState, Number: 1, Argument: 1 << 20})
			s.message(frame{Type: protocol.FrameState, Number: 0}, item(1, "1"), frame{Type: protocol.FrameEnd, Number: 2})
			return ""
		},
		"state of what was never sent": func(s *rawStream) string {
			s.message(frame{Type: protocol.FrameState, Number: huge, Argument: huge}, item(1, "1"), frame{Type: protocol.FrameEnd, Number: 2})
			return ""
		},
		"echo of no probe": func(s *rawStream) string {
			s.message(frame{Type: protocol.FrameMissing, Number: 0, Payload: protocol.AppendEcho(nil, huge)}, item(1, "1"), frame{Type: protocol.FrameEnd, Number: 2})
			return ""
		},
		"probes by the thousand": func(s *rawStream) string {
			for i := range uint64(2000) {
				s.message(frame{Type: protocol.FrameProbe, Number: i, Argument: huge})
			}
			s.message(item(1, "1"), frame{Type: protocol.FrameEnd, Number: 2})
			return ""
		},
		"numbers that jump": func(s *rawStream) string {
			s.message(item(1<<60, "1"), item(0, "1"), item(2, "1"), item(1, "1"), frame{Type: protocol.FrameEnd, Number: 2})
			return ""
		},
		"unknown types, accepts and beats": func(s *rawStream) string {
			s.message(frame{Type: 99, Number: huge, Argument: huge, Payload: make([]byte, 1000)}, frame{Type: protocol.FrameAccept, Number: 0},
				frame{Type: protocol.FrameBeat}, item(1, "1"), frame{Type: protocol.FrameEnd, Number: 2})
			return ""
		},
		"cut short, beyond the body, of another version": func(s *rawStream) string {
			whole := protocol.AppendStreamFrame(protocol.AppendStream(nil, s.remote, s.token), item(1, "1"))
			for n := range whole {
				s.publish(whole[:n])
			}
			s.publish(append([]byte{2}, whole[1:]...))
			s.publish(append(whole[:17:17], 2, 1, 0, 200, 1))
			s.publish(append(whole[:17:17], 2, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff))
			s.message(item(1, "1"), frame{Type: protocol.FrameEnd, Number: 2})
			return ""
		},
		"items after the end": func(s *rawStream) string {
			s.message(item(1, "1"), frame{Type: protocol.FrameEnd, Number: 2}, item(3, "5"), item(2, "5"), frame{Type: protocol.FrameEnd, Number: 3})
			return ""
		},
		"an item that does not decode": func(s *rawStream) string {
			s.message(item(1, "one"))
			return "invalid_argument"
		},
		"beyond the window": func(s *rawStream) string {
			s.message(item(1, spaced(int(s.limit))), item(2, "1"))
			return "resource_exhausted"
		},
		"a reset with garbage": func(s *rawStream) string {
			s.message(frame{Type: protocol.FrameReset, Payload: []byte("{{{")})
			s.message(item(1, "1"))
			return "" // the reset that answers the item
		},
		"a reset with an error of strange parts": func(s *rawStream) string {
			s.message(frame{Type: protocol.FrameReset, Payload: []byte(`{"error": {"code": 5, "message": [], "details": {}}, "header": 3}`)})
			s.message(item(1, "1"))
			return ""
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := brokerURL(t)
			queue, ends, srv := startSummer(t, url)
			s := openRaw(t, url, string(queue), "client")
			require.Equal(t, attack(s), s.ends())
			select {
			case <-ends:
			case <-time.After(patience):
				require.FailNow(t, "the handler goes on")
			}
			got, err := queue.Call(testContext(t), dial(t, url), amqprpc.Items(func(yield func(int) bool) { yield(7) }))
			require.NoError(t, err)
			require.Equal(t, 7, got)
			require.Zero(t, srv.Stats().Reconnects)
		})
	}
}

// Requests that open no stream are refused, as calls are.
func TestRequestsThatOpenNoStream(t *testing.T) {
	t.Parallel()
	url := brokerURL(t)
	queue, _, _ := startSummer(t, url)
	unary := queueName(t) + ".unary"
	startServer(t, url, func(s *amqprpc.Server) { amqprpc.Register(s, unary, square) })
	p := newPeer(t, url)
	token := protocol.NewToken().String()
	for what, c := range map[string]struct {
		queue   string
		headers amqp.Table
		code    string
	}{
		"a call":              {string(queue), nil, "unimplemented"},
		"another kind":        {string(queue), amqp.Table{"rpc-stream": "server", "rpc-token": token, "rpc-window": int64(1)}, "unimplemented"},
		"a kind of no stream": {string(queue), amqp.Table{"rpc-stream": "x", "rpc-token": token, "rpc-window": int64(1)}, "unimplemented"},
		"a kind of no type":   {string(queue), amqp.Table{"rpc-stream": nil, "rpc-token": token, "rpc-window": int64(1)}, "unimplemented"},
		"to a unary handler":  {unary, amqp.Table{"rpc-stream": "client", "rpc-token": token, "rpc-window": int64(1)}, "unimplemented"},
		"no token":            {string(queue), amqp.Table{"rpc-stream": "client", "rpc-window": int64(1)}, "invalid_argument"},
		"token of zeros":      {string(queue), amqp.Table{"rpc-stream": "client", "rpc-token": "0000000000000000", "rpc-window": int64(1)}, "invalid_argument"},
		"a long token":        {string(queue), amqp.Table{"rpc-stream": "client", "rpc-token": token + "00", "rpc-window": int64(1)}, "invalid_argument"},
		"a token of a number": {string(queue), amqp.Table{"rpc-stream": "client", "rpc-token": int64(5), "rpc-window": int64(1)}, "invalid_argument"},
		"no window":           {string(queue), amqp.Table{"rpc-stream": "client", "rpc-token": token}, "invalid_argument"},
		"a window below zero": {string(queue), amqp.Table{"rpc-stream": "client", "rpc-token": token, "rpc-window": int64(math.MinInt64)}, "invalid_argument"},
		"a window of text":    {string(queue), amqp.Table{"rpc-stream": "client", "rpc-token": token, "rpc-window": "1"}, "invalid_argument"},
	} {
		d := p.ask(c.queue, amqp.Publishing{ContentType: "application/json", Body: []byte("1"), Headers: c.headers, CorrelationId: what})
		require.Equal(t, c.code, d.Headers["rpc-code"], "%s: %s", what, d.Body)
		require.Equal(t, "not-executed", d.Headers["rpc-outcome"], what)
	}
}

// A server that answers otherwise than a stream's harms that call alone.
func TestHostileStreamServers(t *testing.T) {
	t.Parallel()
	type frame = protocol.StreamFrame
	for name, c := range map[string]struct {
		answer  func(p *peer, open amqp.Delivery, to protocol.Token)
		code    amqprpc.Code
		outcome amqprpc.Outcome
	}{
		"an ordinary reply": {func(p *peer, open amqp.Delivery, _ protocol.Token) {
			p.send(open.ReplyTo, amqp.Publishing{CorrelationId: open.CorrelationId, ContentType: "application/json", Body: []byte("1")})
		}, amqprpc.CodeUnimplemented, amqprpc.OutcomeExecuted},
		"an accept that names somebody's queue": {func(p *peer, open amqp.Delivery, to protocol.Token) {
			p.accept(open, to, 1, "somebody")
			p.send(open.ReplyTo, amqp.Publishing{CorrelationId: open.CorrelationId, Headers: amqp.Table{"rpc-code": "not_found"}})
		}, amqprpc.CodeNotFound, amqprpc.OutcomeUnknown},
		"an end that cannot be read": {func(p *peer, open amqp.Delivery, to protocol.Token) {
			p.accept(open, to, 1, "amqprpc.instance."+p.replyTo, frame{Type: protocol.FrameEnd, Number: 1, Payload: []byte("{{{")})
		}, amqprpc.CodeInternal, amqprpc.OutcomeExecuted},
		"items beyond the window": {func(p *peer, open amqp.Delivery, to protocol.Token) {
			window := open.Headers["rpc-window"].(int64)
			p.accept(open, to, 1, "amqprpc.instance."+p.replyTo, item(1, spaced(int(window))), item(2, "1"))
		}, amqprpc.CodeResourceExhausted, amqprpc.OutcomeUnknown},
		"a second accept with another token": {func(p *peer, open amqp.Delivery, to protocol.Token) {
			p.accept(open, to, 1, "amqprpc.instance."+p.replyTo)
			p.accept(open, to, 2, "amqprpc.instance."+p.replyTo, item(1, "1"), frame{Type: protocol.FrameEnd, Number: 2})
			p.accept(open, to, 1, "amqprpc.instance."+p.replyTo, frame{Type: protocol.FrameEnd, Number: 1, Payload: []byte(`{"error":{"code":"aborted"}}`)})
		}, amqprpc.CodeAborted, amqprpc.OutcomeExecuted},
		"an item that does not decode": {func(p *peer, open amqp.Delivery, to protocol.Token) {
			p.accept(open, to, 1, "amqprpc.instance."+p.replyTo, item(1, "one"))
		}, amqprpc.CodeInternal, amqprpc.OutcomeUnknown},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url, queue := brokerURL(t), queueName(t)
			p := newPeer(t, url)
			_, opens := p.own(queue)
			p.own("amqprpc.instance." + p.replyTo)
			cli := dial(t, url)
			errs := make(chan error, 1)
			go func() {
				var last error
				for _, err := range countTo(queue).Call(testContext(t), cli, 1) {
					last = err
				}
				errs <- last
			}()
			open := <-opens
			c.answer(p, open, protocol.ParseToken([]byte(open.Headers["rpc-token"].(string))))
			select {
			case err := <-errs:
				require.ErrorIs(t, err, c.code)
				require.Equal(t, c.outcome, amqprpc.OutcomeOf(err), "%v", err)
			case <-time.After(patience):
				require.FailNow(t, "the stream goes on")
			}
			require.Zero(t, cli.Stats().Reconnects)
		})
	}
}

// A server that has ended a stream forgets it, and resets what the client had still sent. The
// client loses nothing that came before the end.
func TestResetAfterTheEnd(t *testing.T) {
	t.Parallel()
	type frame = protocol.StreamFrame
	url, queue := brokerURL(t), queueName(t)
	p := newPeer(t, url)
	_, opens := p.own(queue)
	mailbox := "amqprpc.instance." + p.replyTo
	_, answers := p.own(mailbox)
	cli := dial(t, url)
	accepted := make(chan amqp.Delivery, 1)
	go func() {
		open := <-opens
		p.accept(open, protocol.ParseToken([]byte(open.Headers["rpc-token"].(string))), 9, mailbox)
		accepted <- open
	}()
	conv, err := amqprpc.BidiStream[int, int](queue).Open(testContext(t), cli)
	require.NoError(t, err)
	open := <-accepted
	client := protocol.ParseToken([]byte(open.Headers["rpc-token"].(string)))
	p.accept(open, client, 9, mailbox, item(1, "5"), frame{Type: protocol.FrameEnd, Number: 2}, frame{Type: protocol.FrameReset})
	for state := (frame{}); state.Number < 3; { // then the client has read the reset, too
		_, _, frames, err := protocol.ParseStreamPreface((<-answers).Body)
		require.NoError(t, err)
		state, err = protocol.NextStreamFrame(&frames)
		require.NoError(t, err)
	}
	n, err := conv.Recv()
	require.NoError(t, err)
	require.Equal(t, 5, n)
	_, err = conv.Recv()
	require.ErrorIs(t, err, io.EOF)
	require.NoError(t, conv.Close())
}

// accept answers a request for a stream as a server does.
func (p *peer) accept(open amqp.Delivery, to, from protocol.Token, replyTo string, frames ...protocol.StreamFrame) {
	p.t.Helper()
	p.acceptWith("", open, to, from, replyTo, frames...)
}

// acceptWith is accept by a server that picks an encoding.
func (p *peer) acceptWith(encoding string, open amqp.Delivery, to, from protocol.Token, replyTo string, frames ...protocol.StreamFrame) {
	p.t.Helper()
	body := protocol.AppendStream(nil, to, from)
	for _, f := range append([]protocol.StreamFrame{{Type: protocol.FrameAccept, Argument: 1 << 20, Payload: []byte(encoding)}}, frames...) {
		body = protocol.AppendStreamFrame(body, f)
	}
	p.send(open.ReplyTo, amqp.Publishing{ContentType: protocol.StreamContentType, ReplyTo: replyTo, Body: body})
}

// Messages of streams that nobody knows are ignored, or answered with a bounded number of
// resets. The streams of others go on.
func TestStormsForUnknownStreams(t *testing.T) {
	t.Parallel()
	url := brokerURL(t)
	queue, ends, srv := startSummer(t, url)
	good, bad := openRaw(t, url, string(queue), "client"), openRaw(t, url, string(queue), "client")
	good.message(item(1, "1"))
	bad.remote = protocol.NewToken()
	const many = 2000
	began := time.Now()
	for range many {
		bad.message(protocol.StreamFrame{Type: protocol.FrameReset}, protocol.StreamFrame{Type: protocol.FrameBeat},
			protocol.StreamFrame{Type: protocol.FrameState, Number: 1}, protocol.StreamFrame{Type: protocol.FrameAccept})
		bad.message(item(1, "1"), protocol.StreamFrame{Type: protocol.FrameProbe}, protocol.StreamFrame{Type: protocol.FrameEnd, Number: 2})
	}
	good.message(item(2, "1"), protocol.StreamFrame{Type: protocol.FrameEnd, Number: 3})
	require.Empty(t, good.ends())
	require.NoError(t, <-ends)
	resets := len(bad.replies)
	require.LessOrEqual(t, float64(resets), 100*(time.Since(began).Seconds()+2), "at most a hundred a second")
	got, err := queue.Call(testContext(t), dial(t, url), amqprpc.Items(func(yield func(int) bool) { yield(7) }))
	require.NoError(t, err)
	require.Equal(t, 7, got)
	require.Zero(t, srv.Stats().Reconnects)
}
