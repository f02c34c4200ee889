package promrpc_test

import (
	"errors"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/middleware/promrpc"
)

// someServer and someClient have the state that a test gives them.
type someServer struct {
	stats  amqprpc.ServerStats
	status amqprpc.ServerStatus
}

func (s *someServer) Stats() amqprpc.ServerStats   { return s.stats }
func (s *someServer) Status() amqprpc.ServerStatus { return s.status }

type someClient struct {
	stats  amqprpc.ClientStats
	status amqprpc.ClientStatus
}

func (c *someClient) Stats() amqprpc.ClientStats   { return c.stats }
func (c *someClient) Status() amqprpc.ClientStatus { return c.status }

// number numbers the counters of Stats: 1, 2, 3, …
func number(stats any) {
	v := reflect.ValueOf(stats).Elem()
	for i := range v.NumField() {
		if v.Field(i).CanInt() {
			v.Field(i).SetInt(int64(i + 1))
		}
	}
}

var hump = regexp.MustCompile(`([a-z])([A-Z])`)

// Every counter of Stats is a metric, and has its own value.
func TestEveryCounter(t *testing.T) {
	t.Parallel()
	server, client := &someServer{}, &someClient{}
	number(&server.stats)
	number(&client.stats)
	reg := prometheus.NewPedanticRegistry()
	require.NoError(t, reg.Register(promrpc.NewServerCollector(server)))
	require.NoError(t, reg.Register(promrpc.NewClientCollector(client)))
	got, _ := scrape(t, reg, protobuf)
	for prefix, stats := range map[string]any{"amqprpc_server_": server.stats, "amqprpc_client_": client.stats} {
		v := reflect.ValueOf(stats)
		for i := range v.NumField() {
			field := v.Type().Field(i).Name
			name := prefix + strings.ToLower(hump.ReplaceAllString(field, "${1}_$2"))
			switch {
			case field == "Failed":
			case field == "Pending" || field == "InFlight":
				require.Contains(t, got, name)
				require.Equal(t, dto.MetricType_GAUGE, got[name].GetType())
				require.EqualValues(t, i+1, got[name].GetMetric()[0].GetGauge().GetValue(), name)
			default:
				name += "_total"
				require.Contains(t, got, name)
				require.Equal(t, dto.MetricType_COUNTER, got[name].GetType())
				require.EqualValues(t, i+1, got[name].GetMetric()[0].GetCounter().GetValue(), name)
			}
		}
	}
}

// The state of a server and of a client that are not well.
func TestState(t *testing.T) {
	t.Parallel()
	server, client := &someServer{}, &someClient{}
	server.status.Connection = amqprpc.ConnectionStatus{Connected: true, Blocked: true}
	server.status.Draining = true
	server.status.Queues = []amqprpc.QueueStatus{{Name: "a", Served: true}, {Name: "b", Error: errors.ErrUnsupported.Error()}}
	server.stats.Failed = map[amqprpc.Code]int64{amqprpc.CodeInternal: 3, amqprpc.CodeNotFound: 4}
	client.status.Connection = amqprpc.ConnectionStatus{Connected: true, Blocked: true}
	reg := prometheus.NewPedanticRegistry()
	require.NoError(t, reg.Register(promrpc.NewServerCollector(server)))
	require.NoError(t, reg.Register(promrpc.NewClientCollector(client)))

	value := func(name string) float64 {
		got, _ := scrape(t, reg, protobuf)
		return got[name].GetMetric()[0].GetGauge().GetValue()
	}
	for name, want := range map[string]float64{
		"amqprpc_server_ready": 0, "amqprpc_server_connected": 1, "amqprpc_server_blocked": 1, "amqprpc_server_draining": 1,
		"amqprpc_client_ready": 0, "amqprpc_client_connected": 1, "amqprpc_client_blocked": 1,
	} {
		require.Equal(t, want, value(name), name)
	}
	got, _ := scrape(t, reg, protobuf)
	require.EqualValues(t, 1, find(t, got["amqprpc_server_queue_served"], map[string]string{"queue": "a"}).GetGauge().GetValue())
	require.EqualValues(t, 0, find(t, got["amqprpc_server_queue_served"], map[string]string{"queue": "b"}).GetGauge().GetValue())
	require.EqualValues(t, 3, find(t, got["amqprpc_server_failed_total"], map[string]string{"code": "internal"}).GetCounter().GetValue())
	require.EqualValues(t, 4, find(t, got["amqprpc_server_failed_total"], map[string]string{"code": "not_found"}).GetCounter().GetValue())

	client.status.Connection.Connected = false
	require.Zero(t, value("amqprpc_client_connected"))
	client.status = amqprpc.ClientStatus{Connection: amqprpc.ConnectionStatus{Connected: true}, ReplyQueue: amqprpc.QueueStatus{Served: true}}
	require.Equal(t, 1.0, value("amqprpc_client_ready"))
}

// Two servers fit into one registry if a label tells them apart.
func TestTwoServers(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewPedanticRegistry()
	for _, name := range []string{"a", "b"} {
		named := prometheus.WrapRegistererWith(prometheus.Labels{"server": name}, reg)
		require.NoError(t, named.Register(promrpc.NewServerCollector(&someServer{})))
	}
	require.Error(t, reg.Register(promrpc.NewServerCollector(&someServer{})))
	got, _ := scrape(t, reg, protobuf)
	require.Len(t, got["amqprpc_server_ready"].GetMetric(), 2)
}
