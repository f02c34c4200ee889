package main

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
	"github.com/bbebcec1/amqprpc-go/benchmarks/internal/side"
)

func TestMain(m *testing.M) {
	side.Main() // the test program is also the child program
	// Without this setting the race detector delays each child's exit by a second.
	if err := os.Setenv("GORACE", "atexit_sleep_ms=0 "+os.Getenv("GORACE")); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m)
}

// The test runs rpcbench briefly on the in-process broker: contenders in processes of their
// own, most scenarios, the table, the JSON, the page and its charts.
func TestRun(t *testing.T) {
	t.Parallel()
	broker := amqptest.Start(t)
	dir := t.TempDir()
	page := filepath.Join(dir, "performance.md")
	require.NoError(t, os.WriteFile(page, []byte("<!-- rpcbench overload -->\n<!-- end -->\n"), 0o644))
	results := filepath.Join(dir, "results.json")
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), []string{
		"-url", broker.URL(), "-rounds", "1", "-round", "10ms", "-callers", "1,4",
		"-pending", "100", "-scenarios", "throughput,latency,slow,memory,allocations,overload",
		"-json", results, "-docs", dir,
	}, &out, io.Discard))
	for _, want := range []string{"by-hand", "tutorial", "amqprpc, 1 in 500 slow", "goodput at twice the capacity"} {
		require.Contains(t, out.String(), want)
	}
	text, err := os.ReadFile(results)
	require.NoError(t, err)
	var got struct {
		Results []struct {
			Scenario string
			Series   []struct {
				Name, Case string
				Samples    []map[string]float64
			}
		}
	}
	require.NoError(t, json.Unmarshal(text, &got))
	require.Len(t, got.Results, 6)
	for _, r := range got.Results {
		for _, s := range r.Series {
			require.Len(t, s.Samples, 1, "%s: %s, %s", r.Scenario, s.Name, s.Case)
			for _, m := range []string{"calls/s", "p50 µs", "allocs/call", "heap bytes/pending call", "own allocs/call"} {
				if v, ok := s.Samples[0][m]; ok {
					require.Positive(t, v, "%s: %s, %s: %s", r.Scenario, s.Name, s.Case, m)
				}
			}
		}
	}
	written, err := os.ReadFile(page)
	require.NoError(t, err)
	require.Contains(t, string(written), "| amqprpc |")
	require.FileExists(t, filepath.Join(dir, "img", "throughput.svg"))
}

// The test runs the scenarios of streams as TestRun does, except for kill: a stream outlives a
// killed process for most of a minute.
func TestRunStreams(t *testing.T) {
	t.Parallel()
	broker := amqptest.Start(t)
	dir := t.TempDir()
	results := filepath.Join(dir, "results.json")
	require.NoError(t, run(t.Context(), []string{
		"-url", broker.URL(), "-rounds", "1", "-round", "20ms", "-stall", "1ms", "-items", "1000",
		"-scenarios", "streams,turns,cancel,beside,held,cuts,broadcast", "-json", results,
	}, io.Discard, io.Discard))
	text, err := os.ReadFile(results)
	require.NoError(t, err)
	var got struct {
		Goals []struct {
			Measure  string
			Measured float64
		}
		Results []struct {
			Scenario string
			Series   []struct {
				Name, Case string
				Samples    []map[string]float64
			}
		}
	}
	require.NoError(t, json.Unmarshal(text, &got))
	require.Len(t, got.Results, 7)
	seen := make(map[string]bool)
	for _, r := range got.Results {
		for _, s := range r.Series {
			require.Len(t, s.Samples, 1, "%s: %s, %s", r.Scenario, s.Name, s.Case)
			for m, v := range s.Samples[0] {
				seen[m] = true
				switch m {
				case "items/s", "p50 µs", "p99 ms", "client's heap KiB", "server's messages each":
					require.Positive(t, v, "%s: %s, %s: %s", r.Scenario, s.Name, s.Case, m)
				case "answers":
					require.EqualValues(t, 100, v)
				case "lost, doubled, out of order":
					require.Zero(t, v)
				}
			}
		}
	}
	for _, m := range []string{"items/s", "p99 ms", "answers", "lost, doubled, out of order", "KiB held by the receiver", "client's messages per 100 items"} {
		require.True(t, seen[m], m)
	}
	require.GreaterOrEqual(t, len(got.Goals), 20)
}

func TestRunProfiles(t *testing.T) {
	t.Parallel()
	broker := amqptest.Start(t)
	dir := t.TempDir()
	require.NoError(t, run(t.Context(), []string{
		"-url", broker.URL(), "-rounds", "1", "-round", "20ms", "-callers", "2", "-shapes", "10 servers of 20 queues, 20 clients",
		"-scenarios", "throughput,fleet", "-contenders", "amqprpc;least", "-cpuprofile", dir,
	}, io.Discard, io.Discard))
	for _, name := range []string{"throughput-amqprpc-client", "throughput-amqprpc-server", "fleet-amqprpc-client", "fleet-amqprpc-server", "fleet-least-server"} {
		info, err := os.Stat(filepath.Join(dir, name+".pprof"))
		require.NoError(t, err)
		require.NotZero(t, info.Size(), name)
	}
}

// An error in a child becomes the run's error.
func TestRunFails(t *testing.T) {
	t.Parallel()
	broker := amqptest.Start(t)
	err := run(t.Context(), []string{"-url", broker.URL(), "-scenarios", "throughput", "-contenders", "amqprpc", "-reply", "pigeon"}, io.Discard, io.Discard)
	require.ErrorContains(t, err, `"pigeon"`)
}

func TestFlags(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		args []string
		err  string
	}{
		{[]string{"-scenarios", "throughput,nothing"}, `no scenario "nothing"`},
		{[]string{"-callers", "1,x"}, `"x" is no positive number`},
		{[]string{"-callers", "0"}, `"0" is no positive number`},
		{[]string{"-rounds", "0"}, "at least one round"},
		{[]string{"now"}, "only flags"},
	} {
		_, err := parse(tt.args, io.Discard)
		require.ErrorContains(t, err, tt.err, "%v", tt.args)
	}
	s, err := parse([]string{"-scenarios", "slow, memory", "-callers", "1, 2", "-confirm=false", "-payload", "10", "-queue", "quorum"}, io.Discard)
	require.NoError(t, err)
	require.Len(t, s.scenarios, 2)
	require.Equal(t, []int{1, 2}, s.config.Callers)
	require.True(t, s.config.Options.Unconfirmed)
	require.Equal(t, 10, s.config.Options.Payload)
	require.Equal(t, "quorum", s.config.Options.QueueType)
}

func TestBar(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	b := &bar{w: &out}
	b.Begin("slow", 2)
	b.Step("one")
	b.Step("two")
	require.Contains(t, out.String(), "1/2")
	require.Contains(t, out.String(), "two")
	b.End()

	out.Reset()
	none, err := os.CreateTemp(t.TempDir(), "")
	require.NoError(t, err)
	defer none.Close()
	require.Equal(t, io.Discard, newBar(none).w, "no bar where there is no terminal")
}
