package cli

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/cmd/amqprpc/internal/invoke"
	"github.com/bbebcec1/amqprpc-go/cmd/amqprpc/internal/load"
)

type benchCmd struct {
	callFlags
	plan          load.Plan
	save, compare string
}

func benchCommand() *cobra.Command {
	var f benchCmd
	cmd := &cobra.Command{
		Use:   "bench METHOD [REQUEST]",
		Short: "Call a method many times, and measure the calls",
		Long: `bench sends the same request at a steady rate, and prints how long the calls took.

By default the loop is open: --rate calls are due each second, however slow the method is, as with
callers that do not know of each other. The latency of a call counts from the time at which it was
due, so that a stall counts for every call that it delays (this corrects coordinated omission).

With --callers alone the loop is closed: each caller makes its next call when the last one has
ended. This measures the highest rate. Its latencies do not say what independent callers see.
With both, at most --callers calls are in flight.

` + requestHelp,
		Example: `  amqprpc bench inventory.check sku=TEA-104 --rate 500 --duration 30s
  amqprpc bench inventory.check sku=TEA-104 --callers 16
  amqprpc bench inventory.check sku=TEA-104 --save before.json
  amqprpc bench inventory.check sku=TEA-104 --compare before.json`,
		Args: methodArgs(requestArgs), ValidArgsFunction: completeMethods(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !cmd.Flags().Changed("rate") && f.plan.Callers > 0 {
				f.plan.Rate = 0
			}
			return f.run(cmd, args[0], args[1:])
		},
	}
	f.add(cmd, "30s")
	fs := cmd.Flags()
	fs.Float64VarP(&f.plan.Rate, "rate", "r", 100, "calls that are due each second")
	fs.IntVarP(&f.plan.Callers, "callers", "c", 0, "calls in flight at most")
	fs.DurationVarP(&f.plan.Duration, "duration", "d", 10*time.Second, "how long to measure")
	fs.DurationVar(&f.plan.Warmup, "warmup", time.Second, "how long to call before the measurement")
	fs.StringVar(&f.save, "save", "", "write the result to this `file`")
	fs.StringVar(&f.compare, "compare", "", "compare the result with the one in this `file`")
	return cmd
}

// Bounds of a plan: what is beyond is a mistake of the writing.
const (
	maxRate     = 1_000_000
	maxCallers  = 60_000 // a client has 65,536 calls in flight at most
	maxDuration = 24 * time.Hour
)

func (f *benchCmd) check() error {
	p := f.plan
	switch {
	case !(p.Rate >= 0 && p.Rate <= maxRate) || p.Rate == 0 && p.Callers == 0:
		return usage(fmt.Errorf("--rate %v: it is more than 0 and at most %d", p.Rate, maxRate))
	case p.Callers < 0 || p.Callers > maxCallers:
		return usage(fmt.Errorf("--callers %d: it is at least 0 and at most %d", p.Callers, maxCallers))
	case p.Duration <= 0 || p.Duration > maxDuration:
		return usage(fmt.Errorf("--duration %v: it is more than 0 and at most %v", p.Duration, maxDuration))
	case p.Warmup < 0 || p.Warmup > maxDuration:
		return usage(fmt.Errorf("--warmup %v: it is at least 0 and at most %v", p.Warmup, maxDuration))
	}
	return nil
}

func (f *benchCmd) run(cmd *cobra.Command, queue string, args []string) error {
	if err := f.check(); err != nil {
		return err
	}
	var before *load.Report
	if f.compare != "" { // before the load, which would be in vain
		var err error
		if before, err = load.Load(f.compare); err != nil {
			return usage(err)
		}
	}
	ctx, c := cmd.Context(), consoleOf(cmd)
	p, err := f.prepare(cmd, c, queue, "", args)
	if err != nil {
		return err
	}
	defer p.cli.Close()
	if !p.options.NoValidate {
		if err := p.method.Validate(p.request); err != nil {
			return err
		}
	}
	p.options.NoValidate = true // it is the same request each time
	report := f.load(ctx, c, p)
	err = f.show(ctx, c, report, before)
	if f.save != "" { // after the result is shown, which is not lost if the file cannot be written
		if serr := report.Save(f.save); serr != nil {
			return &statusError{statusLocal, fmt.Errorf("the result is not saved: %w", serr)}
		}
	}
	return err
}

func (f *benchCmd) load(ctx context.Context, c *console, p *prepared) *load.Report {
	start, whole := time.Now(), f.plan.Warmup+f.plan.Duration
	report := load.Run(ctx, f.plan, func(ctx context.Context) string {
		if _, err := invoke.Call(ctx, p.cli, p.method, p.request, p.options); err != nil {
			return string(amqprpc.CodeOf(err))
		}
		return ""
	}, func(calls int64) {
		c.progress("%s of %s: %s …", time.Since(start).Round(time.Second), whole, plural(int(calls), "call"))
	})
	c.progress("")
	report.Method = p.method.Queue
	return report
}

func (f *benchCmd) show(ctx context.Context, c *console, report, before *load.Report) error {
	if c.asJSON {
		out := map[string]any{"result": report}
		if before != nil {
			out["before"] = before
		}
		if err := c.json(out); err != nil {
			return err
		}
	} else {
		showReport(c, report, before)
	}
	switch {
	case ctx.Err() != nil:
		return &statusError{statusInterrupted, errShown}
	case report.Calls == 0:
		return &statusError{statusUnknown, fmt.Errorf("no call has ended")}
	case report.Failed() > 0:
		return &statusError{statusAnswered, errShown}
	}
	return c.written
}

func showReport(c *console, r, before *load.Report) {
	c.printf("%s  %s\n\n", c.bold(name(r.Method)), loopOf(r.Plan))
	head := []string{"", "NOW"}
	if before != nil {
		head = []string{"", "BEFORE", "NOW", "CHANGE"}
		if name(before.Method) != name(r.Method) || before.Plan != r.Plan {
			c.note("the earlier run had another plan: %s, %s, for %v after a warm-up of %v", name(before.Method), loopOf(before.Plan), before.Plan.Duration, before.Plan.Warmup)
		}
	}
	t := &table{head: head, right: map[int]bool{1: true, 2: true, 3: true}}
	for _, row := range reportRows {
		now, text := row.of(r)
		if before == nil {
			t.add(row.name, text)
			continue
		}
		then, earlier := row.of(before)
		change := "" // of nothing
		if then != 0 {
			change = fmt.Sprintf("%+.1f %%", 100*(now-then)/then)
		}
		t.add(row.name, earlier, text, change)
	}
	t.print(c, "")
	for _, code := range slices.Sorted(maps.Keys(r.Errors)) {
		c.printf("%s\n", c.alarming(fmt.Sprintf("%s: %d", name(code), r.Errors[code])))
	}
	if r.Late > 0 {
		c.note("%s began more than 100 ms late: this machine or the callers are too slow for the rate", plural(int(r.Late), "call"))
	}
	if r.Plan.Rate == 0 {
		c.note("a closed loop waits while the method is slow: its latencies are not what independent callers see")
	}
}

// loopOf describes when the calls of a plan are made.
func loopOf(p load.Plan) string {
	if p.Rate == 0 {
		return "closed loop, " + plural(p.Callers, "caller")
	}
	loop := "open loop, " + strings.TrimSuffix(digits(p.Rate), ".00") + " calls due each second"
	if p.Callers > 0 {
		loop += ", " + plural(p.Callers, "caller") + " at most"
	}
	return loop
}

// reportRows are the figures of a report: as a number to compare, and as text.
var reportRows = []struct {
	name string
	of   func(*load.Report) (float64, string)
}{
	{"calls", func(r *load.Report) (float64, string) { return float64(r.Calls), fmt.Sprint(r.Calls) }},
	{"errors", func(r *load.Report) (float64, string) { return float64(r.Failed()), fmt.Sprint(r.Failed()) }},
	{"calls/s", func(r *load.Report) (float64, string) { return r.Rate(), strings.TrimSuffix(digits(r.Rate()), ".00") }},
	latencyRow("mean", func(l load.Latency) time.Duration { return l.Mean }),
	latencyRow("p50", func(l load.Latency) time.Duration { return l.P50 }),
	latencyRow("p90", func(l load.Latency) time.Duration { return l.P90 }),
	latencyRow("p99", func(l load.Latency) time.Duration { return l.P99 }),
	latencyRow("p99.9", func(l load.Latency) time.Duration { return l.P999 }),
	latencyRow("max", func(l load.Latency) time.Duration { return l.Max }),
}

func latencyRow(label string, of func(load.Latency) time.Duration) struct {
	name string
	of   func(*load.Report) (float64, string)
} {
	return struct {
		name string
		of   func(*load.Report) (float64, string)
	}{label, func(r *load.Report) (float64, string) { return float64(of(r.Latency)), took(of(r.Latency)) }}
}
