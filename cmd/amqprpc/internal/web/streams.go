package web

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"sync"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/cmd/amqprpc/internal/invoke"
)

// streams are those that are open, so that further requests of the page reach them.
type streams struct {
	mu  sync.Mutex
	all map[string]*stream
}

func newStreams() *streams { return &streams{all: make(map[string]*stream)} }

// stream is one that is open.
type stream struct {
	id       string // nobody can guess it
	valve    valve
	finished chan struct{} // closed when the browser has sent everything

	mu        sync.Mutex
	send      func(json.RawMessage) error // nil before the server has accepted a stream of requests
	closeSend func() error
}

func (ss *streams) add() *stream {
	s := &stream{id: rand.Text(), finished: make(chan struct{})}
	ss.mu.Lock()
	defer ss.mu.Unlock()
	ss.all[s.id] = s
	return s
}

func (ss *streams) remove(s *stream) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	delete(ss.all, s.id)
}

func (ss *streams) find(id string) *stream {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	return ss.all[id]
}

// connect says how to send to the stream.
func (s *stream) connect(send func(json.RawMessage) error, closeSend func() error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.send, s.closeSend = send, closeSend
}

func (s *stream) sender() (send func(json.RawMessage) error, closeSend func() error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.send, s.closeSend
}

// streamRequest is about a stream that is open.
type streamRequest struct {
	Stream  string          `json:"stream"`
	Paused  bool            `json:"paused"`
	Message json.RawMessage `json:"message"`
}

// about reads the request and finds its stream. If it returns nil, it has answered.
func (p *Page) about(w http.ResponseWriter, r *http.Request) (*stream, *streamRequest) {
	var in streamRequest
	if !readJSON(w, r, &in) {
		return nil, nil
	}
	s := p.streams.find(in.Stream)
	if s == nil {
		refuse(w, http.StatusNotFound, "not_found", "the stream has ended")
		return nil, nil
	}
	return s, &in
}

func (p *Page) pauseStream(w http.ResponseWriter, r *http.Request) {
	if s, in := p.about(w, r); s != nil {
		s.valve.set(in.Paused)
		writeJSON(w, http.StatusOK, struct{}{})
	}
}

// sendStream answers when the message is on its way. A server that reads slowly makes the
// page wait.
func (p *Page) sendStream(w http.ResponseWriter, r *http.Request) {
	s, in := p.about(w, r)
	if s == nil {
		return
	}
	send, _ := s.sender()
	if send == nil {
		refuse(w, http.StatusConflict, "failed_precondition", "this stream takes no messages")
		return
	}
	err := send(in.Message)
	if errors.Is(err, io.EOF) {
		s.finish() // the answer of the stream says why
		err = amqprpc.Errorf(amqprpc.CodeFailedPrecondition, "the stream has ended")
	}
	writeJSON(w, http.StatusOK, map[string]*invoke.Failure{"error": invoke.FailureOf(err)})
}

func (p *Page) finishStream(w http.ResponseWriter, r *http.Request) {
	s, _ := p.about(w, r)
	if s == nil {
		return
	}
	_, closeSend := s.sender()
	if closeSend == nil {
		refuse(w, http.StatusConflict, "failed_precondition", "this stream takes no messages")
		return
	}
	err := closeSend()
	s.finish()
	writeJSON(w, http.StatusOK, map[string]*invoke.Failure{"error": invoke.FailureOf(err)})
}

func (s *stream) finish() {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.finished:
	default:
		close(s.finished)
	}
}

// valve stops a stream while it is shut. The zero value is open.
type valve struct {
	mu   sync.Mutex
	shut chan struct{} // closed when the valve opens; nil while it is open
}

func (v *valve) set(shut bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	switch {
	case shut && v.shut == nil:
		v.shut = make(chan struct{})
	case !shut && v.shut != nil:
		close(v.shut)
		v.shut = nil
	}
}

// wait returns when the valve is open, or ctx ends.
func (v *valve) wait(ctx context.Context) error {
	for {
		v.mu.Lock()
		shut := v.shut
		v.mu.Unlock()
		if shut == nil {
			return ctx.Err()
		}
		select {
		case <-shut: // and shut again, perhaps
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
