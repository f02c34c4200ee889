package promrpc

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
)

// Server is what [NewServerCollector] needs of an [amqprpc.Server].
type Server interface {
	Stats() amqprpc.ServerStats
	Status() amqprpc.ServerStatus
}

// Client is what [NewClientCollector] needs of an [amqprpc.Client].
type Client interface {
	Stats() amqprpc.ClientStats
	Status() amqprpc.ClientStatus
}

// NewServerCollector returns a collector of a server's Stats and Status, under names that
// begin with amqprpc_server_. To collect several servers in one registry, register each
// through [prometheus.WrapRegistererWith], with a label that tells them apart.
func NewServerCollector(s Server) prometheus.Collector {
	return collector[serverState]{
		state:  func() serverState { return serverState{s.Stats(), s.Status()} },
		values: serverValues,
		failed: newDesc("amqprpc_server_failed_total", "Requests that ended with an error, by code.", "code"),
		counts: func(s serverState) map[amqprpc.Code]int64 { return s.stats.Failed },
		served: newDesc("amqprpc_server_queue_served", "1 if the server consumes the queue.", "queue"),
		queues: func(s serverState) []amqprpc.QueueStatus { return s.status.Queues },
	}
}

// NewClientCollector returns a collector of a client's Stats and Status, under names that
// begin with amqprpc_client_. To collect several clients in one registry, register each
// through [prometheus.WrapRegistererWith], with a label that tells them apart.
func NewClientCollector(c Client) prometheus.Collector {
	return collector[clientState]{
		state:  func() clientState { return clientState{c.Stats(), c.Status()} },
		values: clientValues,
		failed: newDesc("amqprpc_client_failed_total", "Calls and notifications that ended with an error, by code.", "code"),
		counts: func(s clientState) map[amqprpc.Code]int64 { return s.stats.Failed },
	}
}

// serverState and clientState are what one scrape sees.
type serverState struct {
	stats  amqprpc.ServerStats
	status amqprpc.ServerStatus
}

type clientState struct {
	stats  amqprpc.ClientStats
	status amqprpc.ClientStatus
}

// value is a metric without labels.
type value[S any] struct {
	desc *prometheus.Desc
	kind prometheus.ValueType
	of   func(S) float64
}

func counter[S any](name, help string, of func(S) int64) value[S] {
	return value[S]{newDesc(name, help), prometheus.CounterValue, func(s S) float64 { return float64(of(s)) }}
}

func gauge[S any](name, help string, of func(S) int64) value[S] {
	return value[S]{newDesc(name, help), prometheus.GaugeValue, func(s S) float64 { return float64(of(s)) }}
}

func flag[S any](name, help string, of func(S) bool) value[S] {
	return value[S]{newDesc(name, help), prometheus.GaugeValue, func(s S) float64 { return number(of(s)) }}
}

func number(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func newDesc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, labels, nil)
}

// collector collects a server or a client.
type collector[S any] struct {
	state  func() S
	values []value[S]
	failed *prometheus.Desc
	counts func(S) map[amqprpc.Code]int64
	served *prometheus.Desc // nil for a client
	queues func(S) []amqprpc.QueueStatus
}

// Describe implements [prometheus.Collector].
func (c collector[S]) Describe(ch chan<- *prometheus.Desc) {
	for _, v := range c.values {
		ch <- v.desc
	}
	ch <- c.failed
	if c.served != nil {
		ch <- c.served
	}
}

// Collect implements [prometheus.Collector].
func (c collector[S]) Collect(ch chan<- prometheus.Metric) {
	s := c.state()
	for _, v := range c.values {
		ch <- prometheus.MustNewConstMetric(v.desc, v.kind, v.of(s))
	}
	for code, n := range c.counts(s) {
		ch <- prometheus.MustNewConstMetric(c.failed, prometheus.CounterValue, float64(n), code.String())
	}
	if c.served == nil {
		return
	}
	for _, q := range c.queues(s) {
		ch <- prometheus.MustNewConstMetric(c.served, prometheus.GaugeValue, number(q.Served), q.Name)
	}
}
