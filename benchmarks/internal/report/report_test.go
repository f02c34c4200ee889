package report

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/benchmarks/internal/bench"
)

func throughput() *bench.Result {
	return &bench.Result{
		Scenario: "throughput", Title: "Calls <a second>", Base: "baseline",
		Metrics: []bench.Metric{bench.CallsPerSecond, bench.P50, bench.BrokerCPU},
		Series: []bench.Series{
			{Name: "baseline", Case: "64 callers", Samples: []bench.Sample{{bench.CallsPerSecond: 10_000, bench.P50: 300}, {bench.CallsPerSecond: 8000, bench.P50: 400}}},
			{Name: "amqprpc", Case: "64 callers", Samples: []bench.Sample{{bench.CallsPerSecond: 15_000, bench.P50: 150}, {bench.CallsPerSecond: 12_000, bench.P50: 200}}},
		},
	}
}

func TestTable(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	require.NoError(t, Table(&out, throughput()))
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	require.Equal(t, `Calls <a second> (medians of 2 rounds; × is against "baseline" in the same round)`, lines[0])
	require.Equal(t, []string{"64", "callers", "amqprpc", "13500", "1.50", "175", "0.50"}, strings.Fields(lines[3]), "nobody measured the broker")

	r := throughput()
	r.Series = append(r.Series, bench.Series{Name: "baseline", Case: "1 caller", Samples: make([]bench.Sample, 6)})
	out.Reset()
	require.NoError(t, Table(&out, r))
	require.Contains(t, out.String(), "(medians of 2 to 6 rounds;")
}

// A run replaces the sections that it measured and leaves the rest of the page unchanged.
func TestDocs(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	page := filepath.Join(dir, "performance.md")
	require.NoError(t, os.WriteFile(page, []byte("# Speed\n<!-- rpcbench throughput -->\nold\n<!-- end -->\nbetween\n<!-- rpcbench slow -->\nkept\n<!-- end -->\n<!-- rpcbench circumstances -->\n<!-- end -->\n"), 0o644))
	at := Circumstances{Date: time.Date(2026, 3, 14, 0, 0, 0, 0, time.UTC), Broker: "RabbitMQ 3.10.8", Driver: "amqp091-go v1.16.0", Go: "go1.26", System: "linux/amd64", CPUs: 2, Rounds: 3, Round: time.Second}
	require.NoError(t, Docs(dir, at, bench.Results{"throughput": throughput()}, nil))
	text, err := os.ReadFile(page)
	require.NoError(t, err)
	require.Equal(t, `# Speed
<!-- rpcbench throughput -->

| calls/s, against baseline | 64 callers |
|---|---|
| baseline | 1.00 × |
| amqprpc | 1.50 × |

<!-- end -->
between
<!-- rpcbench slow -->
kept
<!-- end -->
<!-- rpcbench circumstances -->
<!-- end -->
`, string(text), "a run of one scenario does not speak for the page")
	require.Equal(t, "Measured on 14 March 2026 with RabbitMQ 3.10.8, amqp091-go v1.16.0 and go1.26 on linux/amd64, 2 CPUs. Unless the text says otherwise, a figure is the median of 3 rounds, and a round takes 1s or longer.", at.String())

	image, err := os.ReadFile(filepath.Join(dir, "img", "throughput.svg"))
	require.NoError(t, err)
	require.Contains(t, string(image), "Calls &lt;a second&gt;: calls/s against baseline")
	decoder := xml.NewDecoder(strings.NewReader(string(image)))
	for {
		_, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err, "the chart is no XML")
	}

	_, err = replaceSection([]byte("<!-- rpcbench x -->\n"), "x", "y")
	require.ErrorContains(t, err, "no end")
}

// A run fills the page's tables of speed, fleet and idle, and the README of the
// benchmarks.
func TestDocsOfAFleet(t *testing.T) {
	t.Parallel()
	docs := filepath.Join(t.TempDir(), "docs")
	benchmarks := filepath.Join(docs, "..", "benchmarks")
	require.NoError(t, os.Mkdir(docs, 0o755))
	require.NoError(t, os.Mkdir(benchmarks, 0o755))
	marker := func(name string) string { return "<!-- rpcbench " + name + " -->\nplaceholder\n<!-- end -->\n" }
	page, readme := filepath.Join(docs, "performance.md"), filepath.Join(benchmarks, "README.md")
	require.NoError(t, os.WriteFile(page, []byte(marker("speed")+marker("fleet")+marker("fleet CPU")+marker("idle")), 0o644))
	require.NoError(t, os.WriteFile(readme, []byte(marker("fleet")), 0o644))
	fleet := &bench.Result{Scenario: "fleet", Base: "baseline", Metrics: []bench.Metric{bench.CallsPerSecond, bench.CPUPerCall}, Series: []bench.Series{
		{Name: "baseline", Case: "1 queue", Samples: []bench.Sample{{bench.CallsPerSecond: 100, bench.CPUPerCall: 50}}},
		{Name: "amqprpc", Case: "1 queue", Samples: []bench.Sample{{bench.CallsPerSecond: 150, bench.CPUPerCall: 20}}},
	}}
	idle := &bench.Result{Scenario: "idle", Base: "baseline", Metrics: []bench.Metric{bench.Memory, bench.Ready}, Series: []bench.Series{
		{Name: "amqprpc", Case: "500 queues", Samples: []bench.Sample{{bench.Memory: 12, bench.Ready: 340}}},
	}}
	require.NoError(t, Docs(docs, Circumstances{}, bench.Results{"throughput": throughput(), "fleet": fleet, "idle": idle}, nil))
	text, err := os.ReadFile(page)
	require.NoError(t, err)
	for _, want := range []string{
		"|  | calls/s | p50 µs | p99 µs | CPU µs/call | broker CPU µs/call |\n|---|---|---|---|---|---|\n| 64 callers | 13500 | 175 | – | – | – |\n",
		"| calls/s, against baseline | amqprpc |\n|---|---|\n| 1 queue | 1.50 × |\n",
		"| CPU µs/call, against baseline | amqprpc |\n|---|---|\n| 1 queue | 0.40 × |\n",
		"| amqprpc | 500 queues | 12.0 | 340 |\n",
	} {
		require.Contains(t, string(text), want)
	}
	require.NotContains(t, string(text), "placeholder")
	text, err = os.ReadFile(readme)
	require.NoError(t, err)
	require.Contains(t, string(text), "| 1 queue | 1.50 × |")
	require.NoFileExists(t, filepath.Join(docs, "img", "fleet.svg"))
}

// The pages have a section for each scenario, and none that no run fills.
func TestSectionsOfThePages(t *testing.T) {
	t.Parallel()
	var pages string
	for _, page := range []string{"../../../docs/performance.md", "../../README.md"} {
		text, err := os.ReadFile(page)
		require.NoError(t, err)
		pages += string(text)
	}
	results := make(bench.Results)
	for _, s := range bench.Scenarios() {
		results[s.Name] = &bench.Result{Scenario: s.Name, Base: "b", Metrics: []bench.Metric{bench.CallsPerSecond}, Series: []bench.Series{
			{Name: "b", Case: "1 caller"}, {Name: "b", Case: "64 callers"},
		}}
	}
	filled := sections(results, bench.Judge(bench.Results{"throughput": throughput()}))
	filled["circumstances"] = ""
	for _, s := range bench.Scenarios() {
		require.Contains(t, pages, "<!-- rpcbench "+s.Name+" -->")
	}
	for _, m := range regexp.MustCompile(`<!-- rpcbench (.+?) -->`).FindAllStringSubmatch(pages, -1) {
		require.Contains(t, filled, m[1])
	}
}

func TestJSON(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "results.json")
	r := throughput()
	require.NoError(t, JSON(file, Circumstances{CPUs: 2}, []*bench.Result{r}, bench.Judge(bench.Results{"throughput": r})))
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	var got machine
	require.NoError(t, json.Unmarshal(text, &got))
	require.Equal(t, []*bench.Result{r}, got.Results)
	require.Len(t, got.Goals, 1)
	require.InDelta(t, 1.5, got.Goals[0].Measured, 1e-9)
}

// The last column says which bound was reached, or that the broker leaves none possible.
func TestWordsOfGoals(t *testing.T) {
	t.Parallel()
	of := func(value float64, beyond bool) bench.Verdict {
		return bench.Verdict{Goal: bench.Goal{Measure: "calls/s", Unit: "×", Must: 1, Aim: 1.25}, Value: value, BeyondBroker: beyond}
	}
	rows := goalRows([]bench.Verdict{of(1.3, false), of(1.1, false), of(0.9, false), of(0.9, true)})
	var words []string
	for _, row := range rows[1:] {
		words = append(words, row[len(row)-1])
	}
	require.Equal(t, []string{"aim", "must", "missed", "beyond the broker"}, words)
}
