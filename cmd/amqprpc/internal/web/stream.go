package web

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/amqprpc/describe"
	"github.com/bbebcec1/amqprpc-go/cmd/amqprpc/internal/invoke"
)

// event is one line of the answer to a stream, or to a call to all instances: newline-delimited
// JSON.
type event struct {
	Event    string          `json:"event"`              // open, message, result, answer or end
	Stream   string          `json:"stream,omitempty"`   // its ID, for the other requests about it
	Instance string          `json:"instance,omitempty"` // of answer
	Message  json.RawMessage `json:"message,omitempty"`  // of message, result and answer
	Error    *invoke.Failure `json:"error,omitempty"`    // of answer and end
	Received int64           `json:"received,omitempty"`
	MS       float64         `json:"ms,omitempty"` // since the stream began
}

// stream opens a stream and writes what comes, line by line, until it ends. The browser ends
// it by giving its request up. A browser that does not read makes the sender wait, and so
// does a pause.
func (p *Page) stream(w http.ResponseWriter, r *http.Request) {
	var in callRequest
	if !p.occupy(w, r, &in) {
		return
	}
	defer p.slots.give(in.Browser)
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	s := p.streams.add()
	defer p.streams.remove(s)
	w.Header().Set("Content-Type", "application/x-ndjson; charset=utf-8")
	out := &lines{w: w, rc: http.NewResponseController(w), began: time.Now()}
	m, err := in.method()
	if err == nil {
		switch in.Kind {
		case describe.KindServerStream:
			err = p.download(ctx, s, m, &in, out)
		case describe.KindClientStream:
			err = p.upload(ctx, s, m, &in, out)
		case describe.KindBidiStream:
			err = p.converse(ctx, s, m, &in, out)
		default:
			err = amqprpc.Errorf(amqprpc.CodeInvalidArgument, "the queue %.255q has no stream", in.Queue)
		}
	}
	_ = out.write(event{Event: "end", Error: invoke.FailureOf(err), Received: out.received})
}

func (p *Page) download(ctx context.Context, s *stream, m *invoke.Method, in *callRequest, out *lines) error {
	if err := out.write(event{Event: "open", Stream: s.id}); err != nil {
		return err
	}
	for msg, err := range invoke.ServerStream(ctx, p.cli, m, in.Request, in.options()) {
		if err != nil {
			return err
		}
		// This loop gives no credit while it waits here.
		if err := s.valve.wait(ctx); err != nil {
			return err
		}
		if err := out.message(msg); err != nil {
			return err
		}
	}
	return nil
}

func (p *Page) upload(ctx context.Context, s *stream, m *invoke.Method, in *callRequest, out *lines) error {
	up, err := invoke.OpenUpload(ctx, p.cli, m, in.options())
	if err != nil {
		return err
	}
	defer up.Cancel()
	s.connect(up.Send, func() error { return nil })
	if err := out.write(event{Event: "open", Stream: s.id}); err != nil {
		return err
	}
	select {
	case <-s.finished:
	case <-ctx.Done():
		return ctx.Err()
	}
	answer, err := up.CloseAndRecv()
	if err != nil {
		return err
	}
	return out.write(event{Event: "result", Message: answer})
}

func (p *Page) converse(ctx context.Context, s *stream, m *invoke.Method, in *callRequest, out *lines) error {
	talk, err := invoke.OpenBidi(ctx, p.cli, m, in.options())
	if err != nil {
		return err
	}
	defer talk.Close()
	s.connect(talk.Send, talk.CloseSend)
	if err := out.write(event{Event: "open", Stream: s.id}); err != nil {
		return err
	}
	for {
		msg, err := talk.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := s.valve.wait(ctx); err != nil {
			return err
		}
		if err := out.message(msg); err != nil {
			return err
		}
	}
}

// lines writes events.
type lines struct {
	w        http.ResponseWriter
	rc       *http.ResponseController
	began    time.Time
	received int64
}

func (l *lines) message(m json.RawMessage) error {
	l.received++
	return l.write(event{Event: "message", Message: m, Received: l.received})
}

func (l *lines) write(e event) error {
	e.MS = milliseconds(time.Since(l.began))
	if err := json.NewEncoder(l.w).Encode(e); err != nil {
		return err
	}
	return l.rc.Flush()
}
