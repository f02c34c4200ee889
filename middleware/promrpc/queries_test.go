package promrpc_test

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
	"github.com/bbebcec1/amqprpc-go/middleware/internal/harness"
	"github.com/bbebcec1/amqprpc-go/middleware/promrpc"
)

// metric is what queries need to know of a metric.
type metric struct {
	histogram bool
	labels    []string
}

// allMetrics returns all metrics of the module, as a scrape of a server and a client that
// work finds them.
func allMetrics(t *testing.T) map[string]metric {
	t.Helper()
	url := amqptest.Start(t).URL()
	metrics := promrpc.New()
	reg := prometheus.NewPedanticRegistry()
	require.NoError(t, reg.Register(metrics))
	var srv *amqprpc.Server
	harness.Serve(t, url, func(s *amqprpc.Server) { srv = s; amqprpc.Register(s, "q", answer) }, amqprpc.WithMiddleware(metrics.Middleware))
	cli := harness.Dial(t, url, amqprpc.WithMiddleware(metrics.Middleware))
	require.NoError(t, reg.Register(promrpc.NewServerCollector(srv)))
	require.NoError(t, reg.Register(promrpc.NewClientCollector(cli)))
	for _, how := range []string{"", "internal"} {
		_, _ = amqprpc.Call[string, string](harness.Context(t), cli, "q", how)
	}
	require.Eventually(t, func() bool { return srv.Stats().Handled == 2 }, harness.Patience, time.Millisecond)
	families, _ := scrape(t, reg, protobuf)
	all := make(map[string]metric)
	for name, f := range families {
		m := metric{histogram: f.GetType() == dto.MetricType_HISTOGRAM, labels: []string{"job", "instance"}}
		for _, l := range f.GetMetric()[0].GetLabel() {
			m.labels = append(m.labels, l.GetName())
		}
		all[name] = m
	}
	return all
}

var (
	literal   = regexp.MustCompile(`"(?:[^"\\]|\\.)*"`)
	matchers  = regexp.MustCompile(`\{[^}]*\}`)
	grouping  = regexp.MustCompile(`\b(by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)`)
	window    = regexp.MustCompile(`\[[^\]]*\]`)
	word      = regexp.MustCompile(`[a-zA-Z_:][a-zA-Z0-9_:]*`)
	functions = []string{
		"and", "count", "histogram_quantile", "increase", "max", "or", "rate", "sum",
	}
)

// checkQuery returns what a query names that does not exist: metrics, or labels that none of
// its metrics has.
func checkQuery(query string, all map[string]metric) error {
	rest := literal.ReplaceAllString(query, `""`)
	var labels []string
	for _, m := range matchers.FindAllString(rest, -1) {
		labels = append(labels, word.FindAllString(m, -1)...)
	}
	rest = matchers.ReplaceAllString(rest, " ")
	for _, m := range grouping.FindAllStringSubmatch(rest, -1) {
		labels = append(labels, word.FindAllString(m[2], -1)...)
	}
	rest = window.ReplaceAllString(grouping.ReplaceAllString(rest, " "), " ")
	known := []string{}
	n := 0
	for _, name := range word.FindAllString(rest, -1) {
		if slices.Contains(functions, name) {
			continue
		}
		m, ok := all[name]
		for _, suffix := range []string{"_bucket", "_count", "_sum"} {
			if base, found := strings.CutSuffix(name, suffix); found && all[base].histogram {
				m, ok = all[base], true
				known = append(known, "le")
			}
		}
		if !ok || m.histogram && all[name].histogram {
			return fmt.Errorf("there is no metric %s", name)
		}
		known = append(known, m.labels...)
		n++
	}
	if n == 0 {
		return fmt.Errorf("no metric in %q", query)
	}
	for _, l := range labels {
		if !slices.Contains(known, l) {
			return fmt.Errorf("no metric of the query has the label %s", l)
		}
	}
	return nil
}

// The check of queries finds what is wrong.
func TestCheckQuery(t *testing.T) {
	t.Parallel()
	all := map[string]metric{"h": {histogram: true, labels: []string{"a", "job"}}, "c_total": {labels: []string{"b"}}}
	for query, want := range map[string]string{
		`sum by (le, a) (rate(h_bucket{job=~"$job", a!="}x"}[5m])) > 0.5`:  "",
		`c_total{b="nothing here"} == 0 and c_total > 1`:                   "",
		`rate(h_count[5m]) / ignoring (a) group_left () rate(c_total[5m])`: "",
		`rate(c[5m])`:                    "there is no metric c",
		`rate(h[5m])`:                    "there is no metric h",
		`rate(c_total_count[5m])`:        "there is no metric c_total_count",
		`sum by (a) (rate(c_total[5m]))`: "no metric of the query has the label a",
		`c_total{a="1"}`:                 "no metric of the query has the label a",
		`median(c_total)`:                "there is no metric median",
		`vector(1)`:                      "there is no metric vector",
		`1 > 0`:                          `no metric in "1 > 0"`,
	} {
		err := checkQuery(query, all)
		if want == "" {
			require.NoError(t, err, query)
		} else {
			require.EqualError(t, err, want, query)
		}
	}
}

// Every metric and label that the dashboard names exists.
func TestDashboard(t *testing.T) {
	t.Parallel()
	all := allMetrics(t)
	text, err := os.ReadFile("grafana/amqprpc.json")
	require.NoError(t, err)
	var dashboard struct {
		Title  string
		Panels []struct {
			ID      int
			Type    string
			Title   string
			Targets []struct{ Expr string }
			GridPos struct{ X, Y, W, H int }
		}
		Templating struct {
			List []struct{ Name, Type, Query string }
		}
	}
	require.NoError(t, json.Unmarshal(text, &dashboard))
	require.Equal(t, "amqprpc", dashboard.Title)
	ids, queries := make(map[int]bool), 0
	for _, p := range dashboard.Panels {
		require.False(t, ids[p.ID], "panel %d is there twice", p.ID)
		ids[p.ID] = true
		require.Equal(t, p.Type == "row", len(p.Targets) == 0, p.Title)
		require.LessOrEqual(t, p.GridPos.X+p.GridPos.W, 24, p.Title)
		for _, target := range p.Targets {
			require.NoError(t, checkQuery(target.Expr, all), "%s: %s", p.Title, target.Expr)
			queries++
		}
	}
	require.Greater(t, queries, 20)

	values := regexp.MustCompile(`^label_values\(\{__name__=~"([^"]+)"\}, (\w+)\)$`)
	for _, v := range dashboard.Templating.List {
		if v.Type != "query" {
			continue
		}
		m := values.FindStringSubmatch(v.Query)
		require.NotNil(t, m, v.Query)
		names := regexp.MustCompile("^(" + m[1] + ")$")
		for _, side := range []string{"client", "server"} {
			name := "rpc_" + side + "_call_duration_seconds"
			require.Regexp(t, names, name+"_count")
			require.Contains(t, all[name].labels, m[2])
		}
	}
}

// Every metric and label that the alert rules name exists.
func TestAlerts(t *testing.T) {
	t.Parallel()
	all := allMetrics(t)
	text, err := os.ReadFile("alerts/amqprpc.yaml")
	require.NoError(t, err)
	var file struct {
		Groups []struct {
			Name  string
			Rules []struct {
				Alert       string
				Expr        string
				Labels      map[string]string
				Annotations map[string]string
			}
		}
	}
	require.NoError(t, yaml.Unmarshal(text, &file))
	used := regexp.MustCompile(`\$labels\.(\w+)`)
	names := make(map[string]bool)
	for _, g := range file.Groups {
		for _, r := range g.Rules {
			require.NotEmpty(t, r.Alert)
			require.False(t, names[r.Alert], "%s is there twice", r.Alert)
			names[r.Alert] = true
			require.NoError(t, checkQuery(r.Expr, all), "%s: %s", r.Alert, r.Expr)
			require.Contains(t, []string{"warning", "critical"}, r.Labels["severity"], r.Alert)
			require.NotEmpty(t, r.Annotations["summary"], r.Alert)
			require.NotEmpty(t, r.Annotations["description"], r.Alert)
			for _, m := range used.FindAllStringSubmatch(r.Annotations["summary"]+r.Annotations["description"], -1) {
				if strings.Contains(r.Expr, "by (") {
					require.Regexp(t, `by \([^)]*\b`+m[1]+`\b`, r.Expr, "%s uses the label %s", r.Alert, m[1])
				}
			}
		}
	}
	require.Greater(t, len(names), 10)
}
