package report

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/bbebcec1/amqprpc-go/benchmarks/internal/bench"
	"github.com/bbebcec1/amqprpc-go/benchmarks/internal/contender"
)

// markdown renders a table. The first row is the header.
func markdown(rows [][]string) string {
	var b strings.Builder
	for i, row := range rows {
		fmt.Fprintf(&b, "| %s |\n", strings.Join(row, " | "))
		if i == 0 {
			b.WriteString(strings.Repeat("|---", len(row)) + "|\n")
		}
	}
	return b.String()
}

// byCase returns one metric with a row for each name and a column for each case.
func byCase(r *bench.Result, m bench.Metric) [][]string {
	cases := r.Cases()
	table := [][]string{append([]string{string(m) + ", against " + r.Base}, cases...)}
	for _, name := range r.Names() {
		row := []string{name}
		for _, kase := range cases {
			v, ok := r.Find(name, kase).Ratio(r.Find(r.Base, kase), m)
			row = append(row, orDash(number(v)+" ×", ok))
		}
		table = append(table, row)
	}
	return table
}

// byShape returns one metric with a row for each case and a column for each name except the
// base.
func byShape(r *bench.Result, m bench.Metric) [][]string {
	head := []string{string(m) + ", against " + r.Base}
	var names []string
	for _, name := range r.Names() {
		if name != r.Base {
			names = append(names, name)
		}
	}
	table := [][]string{append(head, names...)}
	for _, kase := range r.Cases() {
		row := []string{kase}
		for _, name := range names {
			v, ok := r.Find(name, kase).Ratio(r.Find(r.Base, kase), m)
			row = append(row, orDash(number(v)+" ×", ok))
		}
		table = append(table, row)
	}
	return table
}

// speed returns the framework's absolute numbers with a row for each case.
func speed(r *bench.Result) [][]string {
	metrics := []bench.Metric{bench.CallsPerSecond, bench.P50, bench.P99, bench.CPUPerCall, bench.BrokerCPU}
	head := []string{""}
	for _, m := range metrics {
		head = append(head, string(m))
	}
	table := [][]string{head}
	for _, kase := range r.Cases() {
		row := []string{kase}
		for _, m := range metrics {
			v, ok := r.Find(contender.Framework, kase).Median(m)
			row = append(row, orDash(number(v), ok))
		}
		table = append(table, row)
	}
	return table
}

// costs returns one case with a row for each name and a column for each metric.
func costs(r *bench.Result, kase string) [][]string {
	metrics := present(r)
	head := []string{kase + ", against " + r.Base}
	for _, m := range metrics {
		name, _, _ := strings.Cut(string(m), " µs")
		head = append(head, strings.TrimSuffix(name, "/call"))
	}
	table := [][]string{head}
	for _, name := range r.Names() {
		s := r.Find(name, kase)
		if s == nil {
			continue
		}
		row := []string{name}
		for _, m := range metrics {
			v, ok := s.Ratio(r.Find(r.Base, kase), m)
			row = append(row, orDash(number(v)+" ×", ok))
		}
		table = append(table, row)
	}
	return table
}

// values returns every metric of every series unchanged.
func values(r *bench.Result) [][]string {
	metrics := present(r)
	head := []string{"", ""}
	for _, m := range metrics {
		head = append(head, string(m))
	}
	table := [][]string{head}
	for i := range r.Series {
		s := &r.Series[i]
		row := []string{s.Name, s.Case}
		for _, m := range metrics {
			v, ok := s.Median(m)
			row = append(row, orDash(number(v), ok))
		}
		table = append(table, row)
	}
	return table
}

// ofPeak returns the numbers of an overloaded run relative to the same contender's peak.
func ofPeak(r *bench.Result) [][]string {
	table := [][]string{{"against its own peak", "offered", "handlers started", "answered in time (goodput)"}}
	for _, name := range r.Names() {
		row := []string{name}
		for _, m := range []bench.Metric{bench.OfferedPerSecond, bench.ExecutedPerSecond, bench.CallsPerSecond} {
			v, ok := peakRatio(r, name, m)
			row = append(row, orDash(number(v)+" ×", ok))
		}
		table = append(table, row)
	}
	return table
}

func peakRatio(r *bench.Result, name string, m bench.Metric) (float64, bool) {
	v, ok := r.Find(name, bench.FloodCase).Median(m)
	peak, okPeak := r.Find(name, bench.PeakCase).Median(bench.CallsPerSecond)
	if !ok || !okPeak || peak == 0 {
		return 0, false
	}
	return v / peak, true
}

// ratioChart shows one metric relative to the base as bars.
func ratioChart(r *bench.Result, m bench.Metric) *chart {
	c := &chart{title: r.Title + ": " + string(m) + " against " + r.Base, unit: " ×"}
	for _, kase := range r.Cases() {
		g := group{label: kase}
		base := r.Find(r.Base, kase)
		for _, name := range r.Names() {
			s := r.Find(name, kase)
			if v, ok := s.Ratio(base, m); ok {
				low, high := s.Spread(base, m)
				g.bars = append(g.bars, barOf{name, v, low, high})
			}
		}
		c.groups = append(c.groups, g)
	}
	return c
}

// overloadChart shows goodput and executed handlers relative to the peak.
func overloadChart(r *bench.Result) *chart {
	c := &chart{title: r.Title + ", against its own peak", unit: " ×"}
	for _, name := range r.Names() {
		g := group{label: name}
		for _, x := range []struct {
			label string
			m     bench.Metric
		}{{"offered", bench.OfferedPerSecond}, {"handlers started", bench.ExecutedPerSecond}, {"answered in time", bench.CallsPerSecond}} {
			if v, ok := peakRatio(r, name, x.m); ok {
				g.bars = append(g.bars, barOf{name: x.label, value: v})
			}
		}
		c.groups = append(c.groups, g)
	}
	return c
}

// sections returns the sections of the pages that a run updates, by name.
func sections(results bench.Results, verdicts []bench.Verdict) map[string]string {
	all := make(map[string]string)
	if len(verdicts) > 0 {
		all["goals"] = markdown(goalRows(verdicts))
	}
	for name, r := range results {
		switch name {
		case "memory", "allocations", "idle", "streams", "cancel", "beside", "held", "cuts", "kill", "broadcast":
			all[name] = markdown(values(r))
		case "fleet":
			all[name] = markdown(byShape(r, bench.CallsPerSecond))
			all[name+" CPU"] = markdown(byShape(r, bench.CPUPerCall))
		case "overload":
			all[name] = markdown(ofPeak(r))
		case "latency", "wire", "slow":
			all[name] = markdown(costs(r, r.Cases()[0]))
		default:
			all[name] = markdown(byCase(r, r.Metrics[0]))
		}
		if name == "throughput" {
			all["speed"] = markdown(speed(r))
			for _, kase := range r.Cases() {
				all[name+" "+kase] = markdown(costs(r, kase))
			}
		}
	}
	return all
}

// charts returns the charts of a run by file name.
func charts(results bench.Results) map[string]*chart {
	all := make(map[string]*chart)
	for name, r := range results {
		switch name {
		case "memory", "allocations", "fleet", "idle":
		case "streams", "turns", "cancel", "beside", "held", "cuts", "kill", "broadcast":
		case "overload":
			all[name+".svg"] = overloadChart(r)
		case "latency":
			all[name+".svg"] = ratioChart(r, bench.P99)
		default:
			all[name+".svg"] = ratioChart(r, r.Metrics[0])
		}
	}
	return all
}

// Docs updates dir/performance.md, the charts in dir/img and the README of the benchmarks
// next to dir. It replaces the text between <!-- rpcbench NAME --> and <!-- end --> if this
// run has results for NAME. Other sections stay unchanged.
func Docs(dir string, at Circumstances, results bench.Results, verdicts []bench.Verdict) error {
	parts := sections(results, verdicts)
	parts["circumstances"] = at.String() + "\n"
	if len(results) < len(bench.Scenarios()) {
		// A partial run does not cover these sections.
		delete(parts, "circumstances")
		delete(parts, "goals")
	}
	if err := replaceSections(filepath.Join(dir, "performance.md"), parts); err != nil {
		return err
	}
	bounds := filepath.Join(dir, "..", "benchmarks", "README.md")
	if err := replaceSections(bounds, parts); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	images := filepath.Join(dir, "img")
	if err := os.MkdirAll(images, 0o755); err != nil {
		return err
	}
	for name, c := range charts(results) {
		f, err := os.Create(filepath.Join(images, name))
		if err != nil {
			return err
		}
		if err := errors.Join(c.write(f), f.Close()); err != nil {
			return err
		}
	}
	return nil
}

// replaceSections replaces the sections that the page has.
func replaceSections(page string, parts map[string]string) error {
	text, err := os.ReadFile(page)
	if err != nil {
		return err
	}
	for name, part := range parts {
		if text, err = replaceSection(text, name, part); err != nil {
			return fmt.Errorf("%s: %w", page, err)
		}
	}
	return os.WriteFile(page, text, 0o644)
}

// replaceSection replaces a section if the page has that section.
func replaceSection(page []byte, name, part string) ([]byte, error) {
	begin := []byte("<!-- rpcbench " + name + " -->\n")
	end := []byte("<!-- end -->")
	before, rest, found := bytes.Cut(page, begin)
	if !found {
		return page, nil
	}
	_, after, found := bytes.Cut(rest, end)
	if !found {
		return nil, fmt.Errorf("the section %q has no end", name)
	}
	return bytes.Join([][]byte{before, begin, []byte("\n" + part + "\n"), end, after}, nil), nil
}
