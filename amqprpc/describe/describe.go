// Package describe has the documents by which a server describes itself: who it is, which
// methods it serves, and how they do. [docs/protocol.md] has their JSON. Package discovery
// gets them from live servers, and [amqprpc.Server.Describe] returns one without a broker.
//
// All types are plain values. Fields may be added to them.
//
// [docs/protocol.md]: https://github.com/bbebcec1/amqprpc-go/blob/main/docs/protocol.md
// [amqprpc.Server.Describe]: https://pkg.go.dev/github.com/bbebcec1/amqprpc-go/amqprpc#Server.Describe
package describe

import (
	"encoding/json"
	"time"
)

// The types of the documents. A document with new fields keeps its type, and one that old
// readers would misread gets another version.
const (
	TypePing  = "amqprpc.ping.v1"
	TypeInfo  = "amqprpc.info.v1"
	TypeStats = "amqprpc.stats.v1"
)

// Identity says which process a document is from. It begins every document.
type Identity struct {
	Type     string    `json:"type"`              // TypePing, TypeInfo or TypeStats
	Instance string    `json:"instance"`          // the ID of the server among all that serve the same queues
	Name     string    `json:"name"`              // of the service; the program's name if the server does not say
	Version  string    `json:"version,omitempty"` // of the service
	Host     string    `json:"host"`
	PID      int       `json:"pid"`
	Started  time.Time `json:"started"` // when the server was made
}

// Ping is the shortest document: who is there.
type Ping struct {
	Identity
	Methods []string `json:"methods"` // the names of the queues that the server has handlers for, sorted
}

// Info describes a server and its methods.
type Info struct {
	Identity
	Description string            `json:"description,omitempty"`
	Metadata    map[string]string `json:"metadata,omitempty"`
	Build       Build             `json:"build"`
	Methods     []Method          `json:"methods"` // sorted by queue
}

// Build says how the program was built (https://pkg.go.dev/runtime/debug#BuildInfo). Fields
// are empty where the build does not say.
type Build struct {
	Go       string    `json:"go,omitempty"`       // the version of Go
	Module   string    `json:"module,omitempty"`   // the path of the main module
	Version  string    `json:"version,omitempty"`  // of the main module
	Revision string    `json:"revision,omitempty"` // of its source
	Time     time.Time `json:"time,omitzero"`      // of the revision
	Modified bool      `json:"modified,omitempty"` // the source had changes beyond the revision
	Library  string    `json:"library"`            // the version of amqprpc
}

// The kinds of methods.
const (
	KindUnary        = "unary"
	KindServerStream = "server_stream" // many responses
	KindClientStream = "client_stream" // many requests
	KindBidiStream   = "bidi_stream"   // many of both
)

// The promises of delivery.
const (
	AtLeastOnce = "at_least_once"
	AtMostOnce  = "at_most_once"
)

// Method describes a handler and its queue.
type Method struct {
	Queue         string   `json:"queue"`
	Kind          string   `json:"kind"` // KindUnary, …
	Doc           string   `json:"doc,omitempty"`
	Request       Message  `json:"request"`  // one of them, where they are a stream
	Response      Message  `json:"response"` // one of them, where they are a stream
	Errors        []Error  `json:"errors,omitempty"`
	Codecs        []string `json:"codecs"`   // content types that the handler takes, the default first
	Delivery      string   `json:"delivery"` // AtLeastOnce or AtMostOnce
	Broadcast     bool     `json:"broadcast,omitempty"`
	Concurrency   int      `json:"concurrency,omitempty"` // handlers that run at once; 0 for streams
	Prefetch      int      `json:"prefetch"`
	MaxStreams    int      `json:"max_streams,omitempty"`    // open at once; 0 for calls
	MaxDeliveries int      `json:"max_deliveries,omitempty"` // 0 is without limit
	TimeoutMS     int64    `json:"timeout_ms,omitempty"`     // how long a handler may run; 0 is without limit
}

// Message describes the requests or the responses of a method.
type Message struct {
	Type    string          `json:"type"`              // the Go type, for people; "" if there is no message
	Schema  json.RawMessage `json:"schema,omitempty"`  // a JSON Schema, if the server has a generator of schemas
	Example json.RawMessage `json:"example,omitempty"` // a message as JSON
}

// Error is an error that a method documents.
type Error struct {
	Code    string          `json:"code"`
	Details json.RawMessage `json:"details,omitempty"` // the JSON Schema of its details, if they are documented
}

// Stats says how the methods of a server do. All counts are since the server was made.
type Stats struct {
	Identity
	Time    time.Time     `json:"time"`    // when the document was written, by the clock of the server
	Methods []MethodStats `json:"methods"` // sorted by queue
}

// MethodStats says how one method does on one server.
type MethodStats struct {
	Queue       string           `json:"queue"`
	Served      bool             `json:"served"`             // the server consumes the queue now
	Waiting     int64            `json:"waiting"`            // requests that the server has and that no handler has yet
	InFlight    int64            `json:"in_flight"`          // handlers that run
	Calls       map[string]int64 `json:"calls,omitempty"`    // ended requests by code; "ok" is success
	Refused     int64            `json:"refused,omitempty"`  // of these, requests that no handler got
	Redelivered int64            `json:"redelivered"`        // requests that may have been delivered before
	Handler     Histogram        `json:"handler_time"`       // how long handlers ran, middleware included
	Queued      Histogram        `json:"queue_time"`         // how long requests waited before their handler started, as far as is known
	Failures    []Failure        `json:"failures,omitempty"` // the last kinds of errors, the latest first
	Depth       *int             `json:"depth,omitempty"`    // messages that wait in the queue; nil if the server could not find out soon
	Consumers   *int             `json:"consumers,omitempty"`
}

// Total returns how many requests have ended.
func (m *MethodStats) Total() (n int64) {
	for _, c := range m.Calls {
		n += c
	}
	return n
}

// Failure is a kind of error: all errors with the same code and text.
type Failure struct {
	Code    string    `json:"code"`
	Message string    `json:"message,omitempty"`
	Count   int64     `json:"count"`
	Last    time.Time `json:"last"`
}
