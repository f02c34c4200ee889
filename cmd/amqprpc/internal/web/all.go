package web

import (
	"net/http"
	"time"

	"github.com/bbebcec1/amqprpc-go/cmd/amqprpc/internal/invoke"
)

// all makes a call to all instances, and writes their answers as they come. It ends when the
// browser gives its request up, and the handlers with it.
func (p *Page) all(w http.ResponseWriter, r *http.Request) {
	var in callRequest
	if !p.occupy(w, r, &in) {
		return
	}
	defer p.slots.give(in.Browser)
	w.Header().Set("Content-Type", "application/x-ndjson; charset=utf-8")
	out := &lines{w: w, rc: http.NewResponseController(w), began: time.Now()}
	_ = out.write(event{Event: "end", Error: invoke.FailureOf(p.answers(r, &in, out)), Received: out.received})
}

// answers returns the error of the whole call, or of a browser that is gone.
func (p *Page) answers(r *http.Request, in *callRequest, out *lines) error {
	m, err := in.method()
	if err != nil {
		return err
	}
	for a, err := range invoke.All(r.Context(), p.cli, m, in.Request, in.options()) {
		if err != nil && a.Instance == "" {
			return err
		}
		out.received++
		e := event{Event: "answer", Instance: a.Instance, Message: a.Response, Error: invoke.FailureOf(err), Received: out.received}
		if err := out.write(e); err != nil {
			return err
		}
	}
	return nil
}
