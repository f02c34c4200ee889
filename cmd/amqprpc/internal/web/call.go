package web

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/bbebcec1/amqprpc-go/amqprpc/describe"
	"github.com/bbebcec1/amqprpc-go/cmd/amqprpc/internal/invoke"
)

// callRequest is a call that the page wants. The page sends back what the catalog said about
// the method, so that the server keeps nothing between requests.
type callRequest struct {
	Queue     string          `json:"queue"`
	Kind      string          `json:"kind"`
	Codecs    []string        `json:"codecs"`
	Schema    json.RawMessage `json:"schema"` // of the request; without it, the request is not checked
	Request   json.RawMessage `json:"request"`
	Instance  string          `json:"instance"`
	TimeoutMS int64           `json:"timeout_ms"`
	Browser   string          `json:"browser"` // what the page calls the browser that it is in
}

// maxTimeout is how long a call of the page may take at most.
const maxTimeout = 10 * time.Minute

type callReply struct {
	invoke.Result
	Error *invoke.Failure `json:"error,omitempty"`
}

// call makes a call. It ends when the browser gives its request up, and its handler with it.
func (p *Page) call(w http.ResponseWriter, r *http.Request) {
	var in callRequest
	if !p.occupy(w, r, &in) {
		return
	}
	defer p.slots.give(in.Browser)
	m, err := in.method()
	var result invoke.Result
	if err == nil {
		result, err = invoke.Call(r.Context(), p.cli, m, in.Request, in.options())
	}
	writeJSON(w, http.StatusOK, callReply{Result: result, Error: invoke.FailureOf(err)})
}

func (in *callRequest) method() (*invoke.Method, error) {
	if in.Codecs == nil && in.Schema == nil {
		return invoke.Foreign(in.Queue), nil
	}
	return invoke.Of(describe.Method{Queue: in.Queue, Kind: in.Kind, Codecs: in.Codecs, Request: describe.Message{Schema: in.Schema}})
}

func (in *callRequest) options() invoke.Options {
	timeout := time.Duration(min(max(in.TimeoutMS, 0), maxTimeout.Milliseconds())) * time.Millisecond
	return invoke.Options{Instance: in.Instance, Timeout: timeout}
}
