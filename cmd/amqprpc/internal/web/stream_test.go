package web

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/amqprpc/describe"
	"github.com/bbebcec1/amqprpc-go/cmd/amqprpc/internal/testbroker"
)

// flood is a handler that sends messages of 1 KiB as fast as it can.
type flood struct {
	sent  atomic.Int64
	ended chan error
}

func (f *flood) serve(_ context.Context, _ int, out *amqprpc.Sender[string]) error {
	text := strings.Repeat("x", 1<<10)
	for {
		if err := out.Send(text); err != nil {
			f.ended <- err
			return err
		}
		f.sent.Add(1)
	}
}

// standsStill waits until the handler has sent nothing for a while, and returns how much it
// has sent.
func (f *flood) standsStill(t *testing.T) int64 {
	t.Helper()
	ticks := time.NewTicker(300 * time.Millisecond)
	defer ticks.Stop()
	last := int64(-1)
	for range 60 {
		<-ticks.C
		n := f.sent.Load()
		if n == last {
			return n
		}
		last = n
	}
	require.FailNow(t, "the handler goes on", "%d messages", f.sent.Load())
	return 0
}

// reader reads the events of a stream.
type reader struct {
	t     *testing.T
	lines *bufio.Reader
	id    string
}

func open(t *testing.T, s string, client *http.Client, in callRequest) (*reader, context.CancelFunc) {
	t.Helper()
	body, err := json.Marshal(in)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s+"/api/stream", strings.NewReader(string(body)))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/json")
	resp, err := client.Do(req)
	require.NoError(t, err)
	t.Cleanup(func() { cancel(); resp.Body.Close() })
	require.Equal(t, http.StatusOK, resp.StatusCode)
	r := &reader{t: t, lines: bufio.NewReaderSize(resp.Body, 16)}
	return r, cancel
}

func (r *reader) next() (e event) {
	r.t.Helper()
	line, err := r.lines.ReadBytes('\n')
	require.NoError(r.t, err)
	require.NoError(r.t, json.Unmarshal(line, &e))
	if e.Event == "open" {
		r.id = e.Stream
	}
	return e
}

// A pause withholds credit: the handler stands when its window is full. After it, everything
// arrives in order, and a browser that gives up ends the handler.
func TestPauseStopsTheSender(t *testing.T) {
	t.Parallel()
	queue := testbroker.Queue(t, "")
	f := &flood{ended: make(chan error, 1)}
	s := start(t, func(srv *amqprpc.Server) { amqprpc.RegisterServerStream(srv, queue, f.serve) })
	r, cancel := open(t, s.URL, s.Client(), callRequest{Queue: queue, Kind: describe.KindServerStream, Request: json.RawMessage("1")})
	require.Equal(t, "open", r.next().Event)
	for i := range 100 {
		require.EqualValues(t, i+1, r.next().Received)
	}
	require.Equal(t, http.StatusOK, post(t, s, "/api/stream/pause", streamRequest{Stream: r.id, Paused: true}).StatusCode)
	// The reader goes on, so that only the pause can stop the handler.
	type read struct {
		last int64
		err  error
	}
	seen := make(chan int64)
	done := make(chan read, 1)
	go func() {
		n := int64(100)
		for {
			line, err := r.lines.ReadBytes('\n')
			var e event
			if err == nil {
				err = json.Unmarshal(line, &e)
			}
			if err != nil || e.Received != n+1 {
				done <- read{n, err}
				close(seen)
				return
			}
			n++
			select {
			case seen <- n:
			default:
			}
		}
	}()
	stood := f.standsStill(t)
	// What may be ahead of the browser: the window of the stream, 256 KiB, and what had come
	// before the pause.
	require.Less(t, stood, int64(20_000))
	require.Equal(t, stood, f.standsStill(t))
	require.Equal(t, http.StatusOK, post(t, s, "/api/stream/pause", streamRequest{Stream: r.id}).StatusCode)
	for n := range seen {
		if n > stood+1000 {
			break
		}
	}
	cancel()
	end := <-done
	require.Error(t, end.err, "not a message out of order")
	require.ErrorIs(t, <-f.ended, amqprpc.CodeCanceled)
}

// A browser that does not read stops the sender, too, with what its connection holds.
func TestUnreadStreamStopsTheSender(t *testing.T) {
	t.Parallel()
	queue := testbroker.Queue(t, "")
	f := &flood{ended: make(chan error, 1)}
	s := start(t, func(srv *amqprpc.Server) { amqprpc.RegisterServerStream(srv, queue, f.serve) })
	r, cancel := open(t, s.URL, s.Client(), callRequest{Queue: queue, Kind: describe.KindServerStream, Request: json.RawMessage("1")})
	require.Equal(t, "open", r.next().Event)
	stood := f.standsStill(t)
	t.Logf("%d KiB were sent to a browser that reads nothing", stood)
	require.Less(t, stood, int64(16<<10), "16 MiB")
	cancel()
	require.ErrorIs(t, <-f.ended, amqprpc.CodeCanceled)
}

func TestUpload(t *testing.T) {
	t.Parallel()
	queue := testbroker.Queue(t, "")
	s := start(t, func(srv *amqprpc.Server) {
		amqprpc.RegisterClientStream(srv, queue, func(_ context.Context, in *amqprpc.Receiver[int]) (sum int, err error) {
			for n, err := range in.All() {
				if err != nil {
					return 0, err
				}
				sum += n
			}
			return sum, nil
		})
	})
	r, _ := open(t, s.URL, s.Client(), callRequest{Queue: queue, Kind: describe.KindClientStream, Codecs: []string{"application/json"}, Schema: json.RawMessage(halfSchema)})
	require.Equal(t, "open", r.next().Event)
	type reply struct {
		Error *struct{ Code, Outcome string }
	}
	say := func(path string, m string) reply {
		return decode[reply](t, post(t, s, path, streamRequest{Stream: r.id, Message: json.RawMessage(m)}), http.StatusOK)
	}
	for _, n := range []string{"1", "2", "30"} {
		require.Nil(t, say("/api/stream/send", n).Error)
	}
	require.Equal(t, "not-sent", say("/api/stream/send", "-7").Error.Outcome, "the schema forbids it, and the stream goes on")
	require.Nil(t, say("/api/stream/finish", "null").Error)
	e := r.next()
	require.Equal(t, "result", e.Event)
	require.Equal(t, "33", string(e.Message))
	e = r.next()
	require.Equal(t, "end", e.Event)
	require.Nil(t, e.Error)
	_, err := r.lines.ReadByte()
	require.ErrorIs(t, err, io.EOF)
	require.Equal(t, http.StatusNotFound, post(t, s, "/api/stream/send", streamRequest{Stream: r.id}).StatusCode)
}

// A handler that ends early ends the stream of the page, too, with its error.
func TestUploadEndsEarly(t *testing.T) {
	t.Parallel()
	queue := testbroker.Queue(t, "")
	s := start(t, func(srv *amqprpc.Server) {
		amqprpc.RegisterClientStream(srv, queue, func(_ context.Context, in *amqprpc.Receiver[int]) (int, error) {
			_, err := in.Recv()
			return 0, errors.Join(err, amqprpc.Errorf(amqprpc.CodeOutOfRange, "enough"))
		})
	})
	r, _ := open(t, s.URL, s.Client(), callRequest{Queue: queue, Kind: describe.KindClientStream})
	require.Equal(t, "open", r.next().Event)
	end := make(chan event, 1)
	go func() {
		var e event
		line, _ := r.lines.ReadBytes('\n') // an error leaves no event
		_ = json.Unmarshal(line, &e)
		end <- e
	}()
	for {
		resp := post(t, s, "/api/stream/send", streamRequest{Stream: r.id, Message: json.RawMessage("1")})
		resp.Body.Close()
		select {
		case e := <-end:
			require.Equal(t, "end", e.Event)
			require.Equal(t, "out_of_range", e.Error.Code)
			return
		default:
		}
	}
}

func TestConversation(t *testing.T) {
	t.Parallel()
	queue := testbroker.Queue(t, "")
	s := start(t, func(srv *amqprpc.Server) {
		amqprpc.RegisterBidiStream(srv, queue, func(_ context.Context, in *amqprpc.Receiver[string], out *amqprpc.Sender[string]) error {
			for m, err := range in.All() {
				if err != nil {
					return err
				}
				if m == "leave" {
					return amqprpc.Errorf(amqprpc.CodeAborted, "left")
				}
				if err := out.Send(m + "!"); err != nil {
					return err
				}
			}
			return nil
		})
	})
	in := callRequest{Queue: queue, Kind: describe.KindBidiStream}
	for last, code := range map[string]string{"finish": "", "leave": "aborted"} {
		r, _ := open(t, s.URL, s.Client(), in)
		require.Equal(t, "open", r.next().Event)
		post(t, s, "/api/stream/send", streamRequest{Stream: r.id, Message: json.RawMessage(`"hello"`)})
		require.JSONEq(t, `"hello!"`, string(r.next().Message))
		if last == "finish" {
			post(t, s, "/api/stream/finish", streamRequest{Stream: r.id})
		} else {
			post(t, s, "/api/stream/send", streamRequest{Stream: r.id, Message: json.RawMessage(`"leave"`)})
		}
		e := r.next()
		require.Equal(t, "end", e.Event)
		require.EqualValues(t, 1, e.Received)
		if code == "" {
			require.Nil(t, e.Error)
		} else {
			require.Equal(t, code, e.Error.Code)
		}
	}
}

// A stream that cannot be is answered with its end.
func TestNoStream(t *testing.T) {
	t.Parallel()
	queue := testbroker.Queue(t, "")
	s := start(t, func(srv *amqprpc.Server) { amqprpc.Register(srv, queue, half) })
	for kind, code := range map[string]string{
		describe.KindServerStream: "unimplemented", describe.KindClientStream: "unimplemented", describe.KindBidiStream: "unimplemented",
		"unary": "invalid_argument", "<b>": "invalid_argument",
	} {
		r, _ := open(t, s.URL, s.Client(), callRequest{Queue: queue, Kind: kind, Request: json.RawMessage("1")})
		e := r.next()
		if e.Event == "open" {
			e = r.next()
		}
		require.Equal(t, "end", e.Event, kind)
		require.Equal(t, code, e.Error.Code, kind)
	}
}
