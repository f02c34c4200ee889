package middleware

import (
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
)

const (
	// OtherMethod is the method in the labels of calls to queues that are not recognised.
	OtherMethod = "_OTHER"
	// MaxMethods is how many queues a [LabelCache] recognises. All others are [OtherMethod].
	MaxMethods = 1000
)

// Labels say what a finished call is counted under. Each of them has few values, so that
// there are few time series.
type Labels struct {
	Client    bool         // the call was made by this process, not served
	Method    string       // the queue, or OtherMethod
	Kind      amqprpc.Kind // of the request
	Code      amqprpc.Code // a known one: codes of a handler's own making are unknown
	ErrorType string       // the code of a failure (see IsFailure), otherwise ""
	Outcome   string       // of a call that ended with an error on a client, otherwise ""
}

// LabelCache keeps a value for the labels of each finished call: for metrics, the attributes
// or the observer that would otherwise be looked up for each call. Both the metrics of
// otelrpc and promrpc are made with it. It is safe for concurrent use.
type LabelCache[V any] struct {
	value   func(Labels) V
	mu      sync.Mutex
	methods atomic.Pointer[map[string]*methodLabels[V]]
	other   methodLabels[V]
}

// methodLabels are the values of one method.
type methodLabels[V any] struct {
	name   string
	values atomic.Pointer[[]labelValue[V]]
}

func (m *methodLabels[V]) find(k labelKey) (v V, ok bool) {
	if values := m.values.Load(); values != nil {
		for i := range *values {
			if e := &(*values)[i]; e.key == k {
				return e.value, true
			}
		}
	}
	return v, false
}

type labelValue[V any] struct {
	key   labelKey
	value V
}

// labelKey tells the labels of one method apart.
type labelKey struct {
	client  bool
	kind    amqprpc.Kind
	outcome amqprpc.Outcome
	code    amqprpc.Code
}

// NewLabelCache makes a cache whose values come from value, which is called once for each
// Labels.
//
// On a server, every queue is recognised. On a client, a queue is recognised as soon as a
// call shows that it exists, so that a queue that was never served is [OtherMethod]. To see
// calls to a queue under its name from the beginning, name it in methods. More than
// [MaxMethods] are not recognised.
func NewLabelCache[V any](value func(Labels) V, methods ...string) *LabelCache[V] {
	c := &LabelCache[V]{value: value, other: methodLabels[V]{name: OtherMethod}}
	c.methods.Store(&map[string]*methodLabels[V]{})
	for _, m := range methods {
		c.recognise(m)
	}
	return c
}

// Get returns the value for a request that ended with err, nil for success. Only the first
// call for some labels allocates.
func (c *LabelCache[V]) Get(req *amqprpc.Request, err error) V {
	m, ok := (*c.methods.Load())[req.Queue()]
	if !ok {
		m = &c.other
		if exists(req, err) {
			m = c.recognise(req.Queue())
		}
	}
	k := labelKey{client: req.IsClient(), kind: req.Kind(), code: amqprpc.CodeOK}
	if err != nil {
		if k.code = amqprpc.CodeOf(err); !k.code.IsKnown() {
			k.code = amqprpc.CodeUnknown
		}
		if k.client {
			k.outcome = amqprpc.OutcomeOf(err)
		}
	}
	if v, ok := m.find(k); ok {
		return v
	}
	return c.add(m, k)
}

// recognise adds a method, unless there are too many.
func (c *LabelCache[V]) recognise(method string) *methodLabels[V] {
	c.mu.Lock()
	defer c.mu.Unlock()
	old := *c.methods.Load()
	if m, ok := old[method]; ok {
		return m
	}
	if len(old) >= MaxMethods {
		return &c.other
	}
	m := &methodLabels[V]{name: method}
	all := maps.Clone(old) // for readers without a lock
	all[method] = m
	c.methods.Store(&all)
	return m
}

// add makes the value for a key of a method.
func (c *LabelCache[V]) add(m *methodLabels[V], k labelKey) V {
	c.mu.Lock()
	defer c.mu.Unlock()
	if v, ok := m.find(k); ok {
		return v
	}
	l := Labels{Client: k.client, Method: m.name, Kind: k.kind, Code: k.code}
	if IsFailure(k.client, k.code) {
		l.ErrorType = k.code.String()
	}
	if k.client && k.code != amqprpc.CodeOK {
		l.Outcome = k.outcome.String()
	}
	v := c.value(l)
	var all []labelValue[V]
	if old := m.values.Load(); old != nil {
		all = *old
	}
	all = append(slices.Clip(all), labelValue[V]{k, v}) // a copy, for readers without a lock
	m.values.Store(&all)
	return v
}

// exists reports whether what a call ended with proves that its queue exists. A server has
// the queue. On a client, only a request that was not sent, or that the broker returned,
// proves nothing.
func exists(req *amqprpc.Request, err error) bool {
	if !req.IsClient() || err == nil || amqprpc.IsRemote(err) {
		return true
	}
	switch amqprpc.OutcomeOf(err) {
	case amqprpc.OutcomeNotSent, amqprpc.OutcomeNotExecuted:
		return false
	default:
		return true
	}
}

// IsFailure reports whether a code is a failure of the side that reports it. On a client,
// every code but ok is one. On a server, these are: unknown, deadline_exceeded,
// unimplemented, internal, unavailable, data_loss. The other codes are the caller's matter.
// OpenTelemetry's conventions for gRPC divide the codes in the same way.
func IsFailure(client bool, code amqprpc.Code) bool {
	if client {
		return code != amqprpc.CodeOK
	}
	switch code {
	case amqprpc.CodeUnknown, amqprpc.CodeDeadlineExceeded, amqprpc.CodeUnimplemented,
		amqprpc.CodeInternal, amqprpc.CodeUnavailable, amqprpc.CodeDataLoss:
		return true
	default:
		return false
	}
}
