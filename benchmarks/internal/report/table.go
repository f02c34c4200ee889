// Package report writes results as tables, as Markdown and SVG charts for the documentation,
// and as JSON.
package report

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/bbebcec1/amqprpc-go/benchmarks/internal/bench"
)

// number renders only the significant digits of a value.
func number(v float64) string {
	switch a := math.Abs(v); {
	case a >= 100:
		return fmt.Sprintf("%.0f", v)
	case a >= 10:
		return fmt.Sprintf("%.1f", v)
	default:
		return fmt.Sprintf("%.2f", v)
	}
}

// rows returns a result as a table with a header. Ratios follow the numbers; without
// absolutes only the ratios remain.
func rows(r *bench.Result, absolutes bool) [][]string {
	metrics := present(r)
	head := []string{"case", "who"}
	for _, m := range metrics {
		if absolutes {
			head = append(head, string(m))
		}
		head = append(head, ratioName(m, absolutes))
	}
	table := [][]string{head}
	for _, kase := range r.Cases() {
		base := r.Find(r.Base, kase)
		for _, name := range r.Names() {
			s := r.Find(name, kase)
			if s == nil {
				continue
			}
			row := []string{kase, name}
			for _, m := range metrics {
				v, ok := s.Median(m)
				if absolutes {
					row = append(row, orDash(number(v), ok))
				}
				ratio, ok := s.Ratio(base, m)
				row = append(row, orDash(number(ratio), ok))
			}
			table = append(table, row)
		}
	}
	return table
}

func ratioName(m bench.Metric, absolutes bool) string {
	if absolutes {
		return "×"
	}
	name, _, _ := strings.Cut(string(m), " µs")
	return name
}

func orDash(s string, ok bool) string {
	if !ok {
		return "–"
	}
	return s
}

// present returns the metrics that have a nonzero value in some sample, or whose zero is the
// result.
func present(r *bench.Result) []bench.Metric {
	var have []bench.Metric
	for _, m := range r.Metrics {
		for i := range r.Series {
			if v, ok := r.Series[i].Median(m); ok && (v != 0 || m == bench.Wrong || m == bench.MoreRoutines) {
				have = append(have, m)
				break
			}
		}
	}
	return have
}

// Table writes a result as text.
func Table(w io.Writer, r *bench.Result) error {
	fmt.Fprintf(w, "\n%s (medians of %s rounds; × is against %q in the same round)\n", r.Title, rounds(r), r.Base)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, row := range rows(r, true) {
		fmt.Fprintln(t, strings.Join(row, "\t"))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for i := range r.Series {
		s := &r.Series[i]
		for _, note := range s.Notes {
			fmt.Fprintf(w, "  %s, %s: %s\n", s.Name, s.Case, note)
		}
	}
	return nil
}

// rounds returns the number of rounds, or the range if cases differ.
func rounds(r *bench.Result) string {
	few, many := math.MaxInt, 0
	for i := range r.Series {
		n := len(r.Series[i].Samples)
		few, many = min(few, n), max(many, n)
	}
	if few < many {
		return fmt.Sprintf("%d to %d", few, many)
	}
	return strconv.Itoa(many)
}

// goalRows returns a table of goals with a header.
func goalRows(all []bench.Verdict) [][]string {
	table := [][]string{{"measure", "must", "aim", "measured", "quartiles", ""}}
	for i := range all {
		v := &all[i]
		sign := "≥ "
		if v.AtMost {
			sign = "≤ "
		}
		unit := " " + v.Unit
		quartiles := ""
		if v.High > 0 {
			quartiles = number(v.Low) + " to " + number(v.High)
		}
		word := "missed"
		switch {
		case v.Met(v.Aim):
			word = "aim"
		case v.Met(v.Must):
			word = "must"
		case v.BeyondBroker:
			word = "beyond the broker"
		}
		table = append(table, []string{v.Measure,
			strings.TrimSpace(sign + number(v.Must) + unit), strings.TrimSpace(sign + number(v.Aim) + unit),
			strings.TrimSpace(number(v.Value) + unit), quartiles, word})
	}
	return table
}

// Verdicts writes the verdict of each goal.
func Verdicts(w io.Writer, all []bench.Verdict) error {
	if len(all) == 0 {
		return nil
	}
	fmt.Fprintln(w, "\nGoals (ratios are against the baseline where nothing else is said)")
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, row := range goalRows(all) {
		fmt.Fprintln(t, strings.Join(row, "\t"))
	}
	return t.Flush()
}
