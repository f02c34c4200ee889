package load

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// reportType is the type of the saved JSON.
const reportType = "amqprpc.bench.v1"

// Report is what a load has measured. It can be saved and loaded.
type Report struct {
	Type    string           `json:"type"`
	Method  string           `json:"method"`
	Time    time.Time        `json:"time"` // when the measured part began
	Plan    Plan             `json:"plan"`
	Elapsed time.Duration    `json:"elapsed_ns"` // from then to the end of the last call or of the plan, whichever is later
	Calls   int64            `json:"calls"`      // errors included
	Errors  map[string]int64 `json:"errors,omitempty"`
	Late    int64            `json:"late,omitempty"` // calls that began more than 100 ms after they were due
	Latency Latency          `json:"latency"`
	HDR     string           `json:"hdr"` // the histogram in nanoseconds: HdrHistogram, V2, compressed, base64

	times *hdrhistogram.Histogram
}

// Latency are percentiles, in nanoseconds.
type Latency struct {
	Mean time.Duration `json:"mean_ns"`
	P50  time.Duration `json:"p50_ns"`
	P90  time.Duration `json:"p90_ns"`
	P99  time.Duration `json:"p99_ns"`
	P999 time.Duration `json:"p999_ns"`
	Max  time.Duration `json:"max_ns"`
}

func newReport(p Plan, r *recorder, measured time.Time) *Report {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := &Report{Type: reportType, Time: measured, Plan: p, Calls: r.times.TotalCount(), Errors: r.errors, Late: r.late, times: r.times}
	if r.ended.After(measured) {
		out.Elapsed = r.ended.Sub(measured)
	}
	out.Latency = latencyOf(r.times)
	return out
}

func latencyOf(h *hdrhistogram.Histogram) Latency {
	at := func(q float64) time.Duration { return time.Duration(h.ValueAtQuantile(q)) }
	return Latency{Mean: time.Duration(h.Mean()), P50: at(50), P90: at(90), P99: at(99), P999: at(99.9), Max: time.Duration(h.Max())}
}

// Rate returns the calls per second.
func (r *Report) Rate() float64 {
	if r.Elapsed <= 0 {
		return 0
	}
	return float64(r.Calls) / r.Elapsed.Seconds()
}

// Failed returns the calls that ended with an error.
func (r *Report) Failed() (n int64) {
	for _, c := range r.Errors {
		n += c
	}
	return n
}

// MarshalJSON implements json.Marshaler.
func (r *Report) MarshalJSON() ([]byte, error) {
	type plain Report
	out := plain(*r)
	if r.times != nil {
		text, err := r.times.Encode(hdrhistogram.V2CompressedEncodingCookieBase)
		if err != nil {
			return nil, err
		}
		out.HDR = string(text)
	}
	return json.Marshal(&out)
}

// Save writes the report to a file.
func (r *Report) Save(path string) error {
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(data, '\n'), 0o644)
}

// maxFile is the largest file that Load reads, in bytes.
const maxFile = 16 << 20

var errFile = errors.New("it is no report of amqprpc bench --save")

// Load reads a saved report.
func Load(path string) (*Report, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxFile {
		return nil, fmt.Errorf("%s: %w", path, errFile)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	r := &Report{}
	if err := json.Unmarshal(data, r); err != nil || r.Type != reportType {
		return nil, fmt.Errorf("%s: %w", path, errFile)
	}
	return r, nil
}
