package amqprpc

import (
	"cmp"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/bbebcec1/amqprpc-go/amqprpc/describe"
)

// Describe returns the description of the server and its methods, which also answers questions
// of package discovery. It needs no broker, and may be called before Serve, for example to
// generate documentation. It is safe for concurrent use. The error is that of a wrong option.
func (s *Server) Describe() (describe.Info, error) {
	if s.err != nil {
		return describe.Info{}, setupError("describe", CodeInvalidArgument, s.err)
	}
	return s.info(), nil
}

// sorted returns the endpoints by the names of their queues.
func (s *Server) sorted() []*endpoint {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.SortedFunc(slices.Values(s.endpoints), func(a, b *endpoint) int { return cmp.Compare(a.queue, b.queue) })
}

// name is the name of the service.
func (s *Server) name() string {
	if s.cfg.service.Name != "" {
		return s.cfg.service.Name
	}
	return filepath.Base(os.Args[0])
}

func (s *Server) identity(kind string) describe.Identity {
	host, _ := os.Hostname() // "" is not known
	return describe.Identity{
		Type: kind, Instance: s.Instance(), Name: s.name(), Version: s.cfg.service.Version,
		Host: host, PID: os.Getpid(), Started: s.born,
	}
}

func (s *Server) ping() describe.Ping {
	d := describe.Ping{Identity: s.identity(describe.TypePing), Methods: []string{}}
	for _, e := range s.sorted() {
		d.Methods = append(d.Methods, e.queue)
	}
	return d
}

func (s *Server) info() describe.Info {
	d := describe.Info{
		Identity: s.identity(describe.TypeInfo), Description: s.cfg.service.Description,
		Metadata: maps.Clone(s.cfg.service.Metadata), Build: build(), Methods: []describe.Method{},
	}
	for _, e := range s.sorted() {
		d.Methods = append(d.Methods, e.describe())
	}
	return d
}

func (e *endpoint) describe() describe.Method {
	doc := &e.cfg.doc
	m := describe.Method{
		Queue: e.queue, Kind: describe.KindUnary, Doc: doc.text,
		Request:  e.server.message(e.types.request, doc.request),
		Response: e.server.message(e.types.response, doc.response),
		Errors:   doc.describe(e.server.schemaOf),
		Codecs:   e.codecs.ContentTypes(), Delivery: describe.AtLeastOnce, Broadcast: e.cfg.broadcast,
		Concurrency: e.cfg.concurrency, Prefetch: e.cfg.prefetch,
		MaxDeliveries: max(e.cfg.maxDeliveries, 0), TimeoutMS: e.cfg.timeout.Milliseconds(),
	}
	if e.kind.IsStream() {
		m.Kind = string(e.kind.wire()) + "_stream"
		m.Concurrency, m.MaxStreams = 0, e.cfg.maxStreams
	}
	if e.cfg.atMostOnce {
		m.Delivery = describe.AtMostOnce
	}
	return m
}

// messageTypes are the types of a method's messages.
type messageTypes struct{ request, response reflect.Type }

func typesOf[Req, Resp any]() messageTypes {
	return messageTypes{reflect.TypeFor[Req](), reflect.TypeFor[Resp]()}
}

func (s *Server) message(t reflect.Type, example *sample) describe.Message {
	if t == reflect.TypeFor[None]() {
		return describe.Message{Example: example.json()}
	}
	return describe.Message{Type: t.String(), Schema: s.schemaOf(t), Example: example.json()}
}

// schemas are the schemas of types, nil where there is none.
type schemas struct {
	mu     sync.Mutex
	byType map[reflect.Type]json.RawMessage
}

// schemaOf is the schema of a type, nil if there is none.
func (s *Server) schemaOf(t reflect.Type) json.RawMessage {
	if s.cfg.schemas == nil {
		return nil
	}
	c := &s.schemas
	c.mu.Lock()
	defer c.mu.Unlock()
	schema, known := c.byType[t]
	if known {
		return schema
	}
	schema, err := s.generate(t)
	if err != nil {
		s.log.Warn("amqprpc: a type has no schema, because WithSchemas has failed", "type", t.String(), "error", err)
	}
	if c.byType == nil {
		c.byType = make(map[reflect.Type]json.RawMessage)
	}
	c.byType[t] = schema
	return schema
}

var errSchema = errors.New("the schema is not JSON")

// generate calls the generator of schemas, which may do anything.
func (s *Server) generate(t reflect.Type) (schema json.RawMessage, err error) {
	defer func() {
		if p := recover(); p != nil {
			schema, err = nil, newPanicError(p)
		}
	}()
	if schema, err = s.cfg.schemas(t); err != nil {
		return nil, err
	}
	if !json.Valid(schema) {
		return nil, errSchema
	}
	return slices.Clone(schema), nil
}

// module is the path of this module.
const module = "github.com/bbebcec1/amqprpc-go"

// build says how the program was built.
func build() (b describe.Build) {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	b.Go, b.Module, b.Version = info.GoVersion, info.Main.Path, info.Main.Version
	for _, m := range append(info.Deps, &info.Main) {
		if m.Path == module {
			b.Library = m.Version
		}
	}
	for _, v := range info.Settings {
		switch v.Key {
		case "vcs.revision":
			b.Revision = v.Value
		case "vcs.time":
			b.Time, _ = time.Parse(time.RFC3339, v.Value)
		case "vcs.modified":
			b.Modified = v.Value == "true"
		}
	}
	return b
}
