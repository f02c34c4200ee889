package promrpc_test

import (
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
	"github.com/bbebcec1/amqprpc-go/middleware/internal/harness"
	"github.com/bbebcec1/amqprpc-go/middleware/promrpc"
)

// scrape gets all metrics over HTTP in a format of Prometheus, by name.
func scrape(t *testing.T, reg *prometheus.Registry, format expfmt.Format) (families map[string]*dto.MetricFamily, text string) {
	t.Helper()
	srv := httptest.NewServer(promhttp.HandlerFor(reg, promhttp.HandlerOpts{EnableOpenMetrics: true, ErrorHandling: promhttp.HTTPErrorOnError}))
	defer srv.Close()
	req, err := http.NewRequestWithContext(harness.Context(t), http.MethodGet, srv.URL, nil)
	require.NoError(t, err)
	req.Header.Set("Accept", string(format))
	resp, err := srv.Client().Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	require.Equal(t, http.StatusOK, resp.StatusCode)
	if format.FormatType() != expfmt.TypeProtoDelim {
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		return nil, string(body)
	}
	families = make(map[string]*dto.MetricFamily)
	for dec := expfmt.NewDecoder(resp.Body, expfmt.ResponseFormat(resp.Header)); ; {
		f := new(dto.MetricFamily)
		if err := dec.Decode(f); errors.Is(err, io.EOF) {
			return families, ""
		} else {
			require.NoError(t, err)
		}
		families[f.GetName()] = f
	}
}

// labels returns the labels of a metric that are not empty.
func labels(m *dto.Metric) map[string]string {
	all := make(map[string]string)
	for _, l := range m.GetLabel() {
		if l.GetValue() != "" {
			all[l.GetName()] = l.GetValue()
		}
	}
	return all
}

// find returns the one metric of a family with exactly these labels.
func find(t *testing.T, f *dto.MetricFamily, want map[string]string) *dto.Metric {
	t.Helper()
	for _, m := range f.GetMetric() {
		if maps.Equal(labels(m), want) {
			return m
		}
	}
	require.FailNow(t, "no such metric", "%s%v in %v", f.GetName(), want, f)
	return nil
}

var (
	protobuf    = expfmt.NewFormat(expfmt.TypeProtoDelim)
	openMetrics = expfmt.NewFormat(expfmt.TypeOpenMetrics)
	plainText   = expfmt.NewFormat(expfmt.TypeTextPlain)
)

type traceKey struct{}

// A client and a server make calls, and a scrape finds them.
func TestScrape(t *testing.T) {
	t.Parallel()
	url := amqptest.Start(t).URL()
	metrics := promrpc.New(promrpc.WithTraceID(func(ctx context.Context) string {
		id, _ := ctx.Value(traceKey{}).(string)
		return id
	}))
	reg := prometheus.NewPedanticRegistry()
	require.NoError(t, reg.Register(metrics))
	var srv *amqprpc.Server
	stop := harness.Serve(t, url, func(s *amqprpc.Server) { srv = s; amqprpc.Register(s, "orders", answer) },
		amqprpc.WithMiddleware(metrics.Middleware))
	cli := harness.Dial(t, url, amqprpc.WithMiddleware(metrics.Middleware))
	require.NoError(t, reg.Register(promrpc.NewServerCollector(srv)))
	require.NoError(t, reg.Register(promrpc.NewClientCollector(cli)))

	ctx := context.WithValue(harness.Context(t), traceKey{}, "4bf92f3577b34da6a3ce929d0e0e4736")
	call := func(queue, how string) { _, _ = amqprpc.Call[string, string](ctx, cli, queue, how) }
	call("orders", "")
	call("orders", "")
	call("orders", "not_found")
	call("orders", "of_its_own")
	call("nobody", "")
	require.NoError(t, amqprpc.Notify(ctx, cli, "orders", ""))

	ready, _ := scrape(t, reg, protobuf)
	require.EqualValues(t, 1, ready["amqprpc_server_ready"].GetMetric()[0].GetGauge().GetValue())
	require.EqualValues(t, 1, ready["amqprpc_client_ready"].GetMetric()[0].GetGauge().GetValue())
	require.EqualValues(t, 1, find(t, ready["amqprpc_server_queue_served"], map[string]string{"queue": "orders"}).GetGauge().GetValue())
	stop()

	got, _ := scrape(t, reg, protobuf)
	require.EqualValues(t, 0, got["amqprpc_server_ready"].GetMetric()[0].GetGauge().GetValue())
	require.EqualValues(t, 5, got["amqprpc_server_handled_total"].GetMetric()[0].GetCounter().GetValue())
	require.EqualValues(t, 1, find(t, got["amqprpc_client_failed_total"], map[string]string{"code": "unavailable"}).GetCounter().GetValue())
	require.EqualValues(t, 1, find(t, got["amqprpc_server_failed_total"], map[string]string{"code": "unknown"}).GetCounter().GetValue())

	with := func(more ...string) map[string]string {
		m := map[string]string{"rpc_system_name": "amqprpc", "rpc_method": "orders", "amqprpc_kind": "unary"}
		for i := 0; i < len(more); i += 2 {
			m[more[i]] = more[i+1]
		}
		return m
	}
	client, server := got["rpc_client_call_duration_seconds"], got["rpc_server_call_duration_seconds"]
	require.Len(t, client.GetMetric(), 5)
	require.Len(t, server.GetMetric(), 4)
	for _, tt := range []struct {
		family *dto.MetricFamily
		labels map[string]string
		count  int
	}{
		{client, with("rpc_status_code", "ok"), 2},
		{client, with("rpc_status_code", "not_found", "error_type", "not_found", "amqprpc_outcome", "executed"), 1},
		{client, with("rpc_status_code", "unknown", "error_type", "unknown", "amqprpc_outcome", "executed"), 1},
		{client, with("rpc_method", "_OTHER", "rpc_status_code", "unavailable", "error_type", "unavailable", "amqprpc_outcome", "not-executed"), 1},
		{client, with("amqprpc_kind", "notification", "rpc_status_code", "ok"), 1},
		{server, with("rpc_status_code", "ok"), 2},
		{server, with("rpc_status_code", "not_found"), 1},
		{server, with("rpc_status_code", "unknown", "error_type", "unknown"), 1},
		{server, with("amqprpc_kind", "notification", "rpc_status_code", "ok"), 1},
		{got["amqprpc_server_queue_duration_seconds"], map[string]string{"rpc_system_name": "amqprpc", "rpc_method": "orders"}, 4},
	} {
		h := find(t, tt.family, tt.labels).GetHistogram()
		require.EqualValues(t, tt.count, h.GetSampleCount(), "%v", tt.labels)
		require.Len(t, h.GetBucket(), 14, "the classic buckets")
		// A request may wait less than the clocks tell. Its 0 has a bucket of its own.
		require.True(t, len(h.GetPositiveSpan()) > 0 || h.GetZeroCount() > 0, "the native buckets")
	}

	// The exemplars travel in OpenMetrics, and in protobuf.
	_, text := scrape(t, reg, openMetrics)
	require.Contains(t, text, `# {trace_id="4bf92f3577b34da6a3ce929d0e0e4736"}`)
	require.NotEmpty(t, find(t, client, with("rpc_status_code", "ok")).GetHistogram().GetExemplars())
	require.Empty(t, find(t, server, with("rpc_status_code", "ok")).GetHistogram().GetExemplars(), "the server has no trace")
	_, text = scrape(t, reg, plainText)
	require.Contains(t, text, `rpc_client_call_duration_seconds_bucket{amqprpc_kind="unary",amqprpc_outcome="",error_type="",rpc_method="orders",rpc_status_code="ok",rpc_system_name="amqprpc",le="+Inf"} 2`)
}

func TestOptions(t *testing.T) {
	t.Parallel()
	metrics := promrpc.New(promrpc.WithBuckets(nil), promrpc.WithMethods("nobody"))
	reg := prometheus.NewPedanticRegistry()
	require.NoError(t, reg.Register(metrics))
	cli := harness.Dial(t, amqptest.Start(t).URL(), amqprpc.WithMiddleware(metrics.Middleware))
	_, err := amqprpc.Call[string, string](harness.Context(t), cli, "nobody", "")
	require.Error(t, err)
	got, _ := scrape(t, reg, protobuf)
	m := got["rpc_client_call_duration_seconds"].GetMetric()
	require.Len(t, m, 1)
	require.Equal(t, "nobody", labels(m[0])["rpc_method"])
	require.Empty(t, m[0].GetHistogram().GetBucket())
	require.NotEmpty(t, m[0].GetHistogram().GetPositiveSpan())
}

// A panic of inner middleware counts as internal.
func TestPanic(t *testing.T) {
	t.Parallel()
	metrics := promrpc.New(promrpc.WithMethods("q"))
	reg := prometheus.NewPedanticRegistry()
	require.NoError(t, reg.Register(metrics))
	boom := func(amqprpc.Invoker) amqprpc.Invoker {
		return func(context.Context, *amqprpc.Request) (*amqprpc.Response, error) { panic("boom") }
	}
	cli := harness.Dial(t, amqptest.Start(t).URL(), amqprpc.WithMiddleware(metrics.Middleware, boom))
	_, err := amqprpc.Call[string, string](harness.Context(t), cli, "q", "")
	require.ErrorIs(t, err, amqprpc.CodeInternal)
	got, _ := scrape(t, reg, protobuf)
	require.Equal(t, "internal", labels(got["rpc_client_call_duration_seconds"].GetMetric()[0])["rpc_status_code"])
}

// slow is longer than the first classic bucket, and shorter than the last.
const slow = 30 * time.Millisecond

// The duration is that of the call.
func TestDuration(t *testing.T) {
	t.Parallel()
	url := amqptest.Start(t).URL()
	metrics := promrpc.New()
	reg := prometheus.NewPedanticRegistry()
	require.NoError(t, reg.Register(metrics))
	stop := harness.Serve(t, url, func(s *amqprpc.Server) {
		amqprpc.Register(s, "q", func(context.Context, int) (int, error) {
			<-time.After(slow)
			return 1, nil
		})
	}, amqprpc.WithMiddleware(metrics.Middleware))
	_, err := amqprpc.Call[int, int](harness.Context(t), harness.Dial(t, url, amqprpc.WithMiddleware(metrics.Middleware)), "q", 1)
	require.NoError(t, err)
	stop()
	got, _ := scrape(t, reg, protobuf)
	for _, name := range []string{"rpc_client_call_duration_seconds", "rpc_server_call_duration_seconds"} {
		sum := got[name].GetMetric()[0].GetHistogram().GetSampleSum()
		require.GreaterOrEqual(t, sum, slow.Seconds(), name)
		require.Less(t, sum, harness.Patience.Seconds(), name)
	}
}

// A stream counts once, with its kind.
func TestStream(t *testing.T) {
	t.Parallel()
	url := amqptest.Start(t).URL()
	metrics := promrpc.New()
	reg := prometheus.NewPedanticRegistry()
	require.NoError(t, reg.Register(metrics))
	count := func(_ context.Context, n int, out *amqprpc.Sender[int]) error {
		for i := range n {
			if err := out.Send(i); err != nil {
				return err
			}
		}
		return nil
	}
	stop := harness.Serve(t, url, func(s *amqprpc.Server) { amqprpc.RegisterServerStream(s, "count", count) },
		amqprpc.WithMiddleware(metrics.Middleware))
	cli := harness.Dial(t, url, amqprpc.WithMiddleware(metrics.Middleware))
	for _, err := range amqprpc.ServerStream[int, int]("count").Call(harness.Context(t), cli, 100) {
		require.NoError(t, err)
	}
	stop()
	families, _ := scrape(t, reg, protobuf)
	for _, side := range []string{"client", "server"} {
		m := find(t, families["rpc_"+side+"_call_duration_seconds"], map[string]string{
			"rpc_system_name": "amqprpc", "rpc_method": "count", "rpc_status_code": "ok", "amqprpc_kind": "server stream",
		})
		require.EqualValues(t, 1, m.GetHistogram().GetSampleCount(), side)
	}
}
