package web

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"iter"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/bbebcec1/amqprpc-go/amqprpc/describe"
)

// Bounds of the catalog. They are far above what a page can show, and keep it small whatever
// instances say.
const (
	maxServices  = 200
	maxInstances = 200 // listed of each service
	maxMethods   = 1000
	maxFaults    = 20
	maxText      = 300      // bytes of a name
	maxDoc       = 8 << 10  // bytes of a description
	maxDocument  = 64 << 10 // bytes of a schema or an example
	maxDocuments = 8 << 20  // bytes of all schemas and examples
	maxDepth     = 100      // of a schema or an example
	maxNumber    = 1 << 40  // what is shown of a number; scripts cannot count beyond 1 << 53, nor sums of a few beyond 1 << 63
	askTime      = 10 * time.Second
)

// catalog is what runs, as the page gets it.
type catalog struct {
	Broker    string     `json:"broker"`
	Connected bool       `json:"connected"`
	Instances int        `json:"instances"`
	Services  []*service `json:"services"`
	Methods   []*method  `json:"methods"`
	Faults    []string   `json:"faults"`
	Omitted   int        `json:"omitted"` // services, methods and faults beyond the bounds
	documents int        // bytes of schemas and examples
}

// service is all instances of one name.
type service struct {
	Name        string            `json:"name"`
	Description string            `json:"description"`
	Metadata    map[string]string `json:"metadata,omitempty"`
	Versions    map[string]int    `json:"versions"` // how many instances have each
	Count       int               `json:"count"`    // of its instances
	Instances   []instance        `json:"instances"`
	Methods     []string          `json:"methods"`
	queues      map[string]bool   // the same methods
}

type instance struct {
	ID       string    `json:"id"`
	Version  string    `json:"version"`
	Host     string    `json:"host"`
	PID      int       `json:"pid"`
	Started  time.Time `json:"started"`
	Revision string    `json:"revision"`
	Library  string    `json:"library"`
}

// method is a queue as most of its instances describe it.
type method struct {
	describe.Method
	Services  []string      `json:"services"`
	Count     int           `json:"count"`     // of its instances
	Differs   bool          `json:"differs"`   // its instances describe it differently
	Oversized bool          `json:"oversized"` // a schema or an example is too large for the page
	shapes    map[shape]int // how many instances describe it so
	best      int
	form      shape
}

func (p *Page) catalog(w http.ResponseWriter, r *http.Request) {
	broker, connected := p.connection()
	infos := p.source.infos
	if !connected { // nobody can answer, and the person should learn it now
		infos = func(context.Context) iter.Seq2[describe.Info, error] { return func(func(describe.Info, error) bool) {} }
	}
	ctx, cancel := context.WithTimeout(r.Context(), askTime)
	defer cancel()
	c := gather(infos(ctx))
	c.Broker, c.Connected = broker, connected
	writeJSON(w, http.StatusOK, c)
}

// gather merges the descriptions of all instances.
func gather(infos iter.Seq2[describe.Info, error]) *catalog {
	c := &catalog{Services: []*service{}, Methods: []*method{}, Faults: []string{}}
	services, methods := make(map[string]*service), make(map[string]*method)
	for info, err := range infos {
		if err != nil {
			c.fault(err)
			continue
		}
		c.Instances++
		s := c.service(services, &info)
		if s == nil {
			continue
		}
		for i := range info.Methods {
			c.method(methods, s, &info.Methods[i])
		}
	}
	for _, s := range services {
		s.Methods = slices.AppendSeq(s.Methods, maps.Keys(s.queues))
		slices.Sort(s.Methods)
		slices.SortFunc(s.Instances, func(a, b instance) int { return cmp.Or(a.Started.Compare(b.Started), cmp.Compare(a.ID, b.ID)) })
		c.Services = append(c.Services, s)
	}
	c.Methods = slices.AppendSeq(c.Methods, maps.Values(methods))
	slices.SortFunc(c.Services, func(a, b *service) int { return cmp.Compare(a.Name, b.Name) })
	slices.SortFunc(c.Methods, func(a, b *method) int { return cmp.Compare(a.Queue, b.Queue) })
	return c
}

func (c *catalog) fault(err error) {
	if len(c.Faults) < maxFaults {
		c.Faults = append(c.Faults, cut(err.Error(), maxText))
	} else {
		c.Omitted++
	}
}

// service adds an instance to its service. It returns nil if there are too many services.
func (c *catalog) service(all map[string]*service, info *describe.Info) *service {
	name := cut(cmp.Or(info.Name, "(no name)"), maxText)
	s, ok := all[name]
	if !ok {
		if len(all) == maxServices {
			c.Omitted++
			return nil
		}
		s = &service{Name: name, Description: cut(info.Description, maxDoc), Versions: make(map[string]int), Metadata: cutAll(info.Metadata), Instances: []instance{}, Methods: []string{}, queues: make(map[string]bool)}
		all[name] = s
	}
	s.Count++
	version := cut(info.Version, maxText)
	if _, ok := s.Versions[version]; ok || len(s.Versions) < maxFaults {
		s.Versions[version]++
	}
	if len(s.Instances) < maxInstances {
		s.Instances = append(s.Instances, instance{
			ID: cut(info.Instance, maxText), Version: version, Host: cut(info.Host, maxText), PID: limit(info.PID),
			Started: info.Started, Revision: cut(info.Build.Revision, maxText), Library: cut(info.Build.Library, maxText),
		})
	}
	return s
}

// method adds what one instance says about a queue. The description that most instances give
// wins.
func (c *catalog) method(all map[string]*method, s *service, d *describe.Method) {
	if len(d.Queue) > maxText { // the broker has no such queue
		c.Omitted++
		return
	}
	m, ok := all[d.Queue]
	if !ok {
		if len(all) == maxMethods {
			c.Omitted++
			return
		}
		m = &method{shapes: make(map[shape]int), Services: []string{}}
		all[d.Queue] = m
	}
	if !slices.Contains(m.Services, s.Name) && len(m.Services) < maxFaults {
		m.Services = append(m.Services, s.Name)
	}
	s.queues[d.Queue] = true
	m.Count++
	bounded, oversized := bound(*d)
	form := shapeOf(&bounded)
	if _, ok := m.shapes[form]; !ok && len(m.shapes) == maxFaults {
		return
	}
	m.shapes[form]++
	m.Differs = len(m.shapes) > 1
	if m.shapes[form] > m.best {
		if m.best++; m.form != form {
			c.choose(m, form, bounded, oversized)
		}
	}
}

// choose describes m so, as far as there is room for documents.
func (c *catalog) choose(m *method, form shape, d describe.Method, oversized bool) {
	for _, doc := range documents(&m.Method) {
		c.documents -= len(*doc)
	}
	for _, doc := range documents(&d) {
		if c.documents+len(*doc) > maxDocuments {
			*doc, oversized = nil, true
		}
		c.documents += len(*doc)
	}
	m.form, m.Method, m.Oversized = form, d, oversized
}

// documents returns the JSON of a description.
func documents(m *describe.Method) []*json.RawMessage {
	all := []*json.RawMessage{&m.Request.Schema, &m.Request.Example, &m.Response.Schema, &m.Response.Example}
	for i := range m.Errors {
		all = append(all, &m.Errors[i].Details)
	}
	return all
}

// shape is equal for descriptions that callers need not tell apart. It is short, because an
// instance chooses how long its schemas are.
type shape [sha256.Size]byte

func shapeOf(m *describe.Method) shape {
	return sha256.Sum256([]byte(strings.Join([]string{m.Kind, string(m.Request.Schema), string(m.Response.Schema), strings.Join(m.Codecs, " ")}, "\x00")))
}

// bound cuts what an instance says about a method.
func bound(m describe.Method) (out describe.Method, oversized bool) {
	document := func(d json.RawMessage) json.RawMessage {
		if len(d) > maxDocument || depth(d) > maxDepth {
			oversized = true
			return nil
		}
		if !json.Valid(d) {
			return nil
		}
		return d
	}
	message := func(d describe.Message) describe.Message {
		return describe.Message{Type: cut(d.Type, maxText), Schema: document(d.Schema), Example: document(d.Example)}
	}
	m.Kind, m.Delivery, m.Doc = cut(m.Kind, maxText), cut(m.Delivery, maxText), cut(m.Doc, maxDoc)
	m.Request, m.Response = message(m.Request), message(m.Response)
	m.Concurrency, m.Prefetch, m.MaxStreams, m.MaxDeliveries = limit(m.Concurrency), limit(m.Prefetch), limit(m.MaxStreams), limit(m.MaxDeliveries)
	m.TimeoutMS = limit(m.TimeoutMS)
	m.Codecs = slices.Clone(m.Codecs[:min(len(m.Codecs), maxFaults)])
	for i := range m.Codecs {
		m.Codecs[i] = cut(m.Codecs[i], maxText)
	}
	m.Errors = slices.Clone(m.Errors[:min(len(m.Errors), maxFaults)])
	for i, e := range m.Errors {
		m.Errors[i] = describe.Error{Code: cut(e.Code, maxText), Details: document(e.Details)}
	}
	return m, oversized
}

// depth returns how deep arrays and objects are nested in a valid JSON text. Browsers fail on
// texts that are nested deeply.
func depth(d json.RawMessage) (deepest int) {
	now, quoted := 0, false
	for i := 0; i < len(d); i++ {
		switch c := d[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '[' || c == '{':
			now++
			deepest = max(deepest, now)
		case c == ']' || c == '}':
			now--
		}
	}
	return deepest
}

func cutAll(m map[string]string) map[string]string {
	out := make(map[string]string)
	for _, k := range slices.Sorted(maps.Keys(m)) {
		if len(out) == maxFaults {
			break
		}
		out[cut(k, maxText)] = cut(m[k], maxText)
	}
	return out
}

// limit returns a count as the page can show it.
func limit[N int | int64](n N) N { return max(0, N(min(int64(n), maxNumber))) }

// cut returns at most n bytes of valid UTF-8.
func cut(s string, n int) string {
	if len(s) > n {
		s = s[:n] + "…"
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}
