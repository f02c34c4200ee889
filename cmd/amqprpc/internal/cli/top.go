package cli

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/spf13/cobra"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/cmd/amqprpc/internal/top"
	"github.com/bbebcec1/amqprpc-go/cmd/amqprpc/internal/untrusted"
)

type topCmd struct {
	once, instances bool
	interval        time.Duration
	sort            string
}

func topCommand() *cobra.Command {
	var f topCmd
	cmd := &cobra.Command{
		Use:   "top [SERVICE]",
		Short: "Watch how methods do",
		Long: `top asks all servers, or those of one service, for their counters again and again. It shows a
table: calls and errors a second, how long handlers run and requests wait, handlers in flight, and
messages in the queue. The figures are of the time between the last two answers.

Keys: the arrows or s sort by another column, i shows each instance, p pauses, q quits.

With --once, and where the output is no terminal, it prints one table and ends.`,
		Example: `  amqprpc top
  amqprpc top inventory --instances --sort p99
  amqprpc top --once --interval 5s
  amqprpc top --json | jq -c 'select(.errors_per_second > 0)'`,
		Args: cobra.MaximumNArgs(1), ValidArgsFunction: completeServices,
		RunE: func(cmd *cobra.Command, args []string) error {
			q := questionOf(cmd)
			if len(args) > 0 {
				q.service = args[0]
			}
			return f.run(cmd, q)
		},
	}
	cmd.Flags().BoolVar(&f.once, "once", false, "print one table and end")
	cmd.Flags().BoolVarP(&f.instances, "instances", "i", false, "a row for each instance of a method")
	cmd.Flags().DurationVar(&f.interval, "interval", 2*time.Second, "how long to wait between two answers")
	cmd.Flags().StringVar(&f.sort, "sort", "queue", "the column to sort by: "+strings.Join(top.Columns, ", "))
	_ = cmd.RegisterFlagCompletionFunc("sort", cobra.FixedCompletions(top.Columns, cobra.ShellCompDirectiveNoFileComp)) // the flag exists
	return cmd
}

// minInterval keeps the questions from being a load themselves.
const minInterval = 100 * time.Millisecond

func (f *topCmd) run(cmd *cobra.Command, q question) error {
	if !slices.Contains(top.Columns, f.sort) {
		return usage(fmt.Errorf("--sort %.100q: it is one of %s", f.sort, strings.Join(top.Columns, ", ")))
	}
	if f.interval < minInterval || f.interval > time.Hour {
		return usage(fmt.Errorf("--interval %v: it is at least %v and at most an hour", f.interval, minInterval))
	}
	ctx, c := cmd.Context(), consoleOf(cmd)
	cli, err := c.dial(cmd)
	if err != nil {
		return err
	}
	defer cli.Close()
	w := &watch{cli: cli, console: c, question: q}
	switch {
	case c.asJSON && !f.once:
		return f.follow(ctx, c, w)
	case f.once || !c.outTerm:
		return f.print(ctx, c, w)
	}
	w.console = &console{out: c.out, err: discard{}} // notes would be in the way of the screen
	screen := &topScreen{ctx: ctx, watch: w, interval: f.interval, sort: f.sort, instances: f.instances, colour: c.colour, width: 80, height: 24}
	return runScreen(ctx, cmd, screen)
}

// runScreen draws until the user quits or ctx ends.
func runScreen(ctx context.Context, cmd *cobra.Command, screen *topScreen, opts ...tea.ProgramOption) error {
	opts = append([]tea.ProgramOption{tea.WithContext(ctx), tea.WithInput(cmd.InOrStdin()), tea.WithOutput(cmd.OutOrStdout()), tea.WithoutSignalHandler()}, opts...)
	_, err := tea.NewProgram(screen, opts...).Run()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err == nil {
		err = screen.err
	}
	return err
}

// watch asks again and again.
type watch struct {
	cli      *amqprpc.Client
	console  *console
	question question
	table    top.Table
}

// next asks once.
func (w *watch) next(ctx context.Context) ([]top.Row, error) {
	all, err := stats(ctx, w.cli, w.console, w.question)
	if err != nil {
		return nil, err
	}
	return w.table.Update(all, time.Now()), nil
}

// print asks twice and prints the table between.
func (f *topCmd) print(ctx context.Context, c *console, w *watch) error {
	rows, err := w.next(ctx)
	if err != nil {
		return err
	}
	if len(rows) == 0 {
		return nobody(w.question)
	}
	c.progress("measuring for %v …", f.interval)
	err = pause(ctx, f.interval)
	c.progress("")
	if err != nil {
		return err
	}
	if rows, err = w.next(ctx); err != nil {
		return err
	}
	rows = f.arranged(rows)
	if c.asJSON {
		return c.json(rows)
	}
	topTable(rows, f.instances).print(c, "")
	return c.written
}

// follow prints a line of JSON for each row of each answer.
func (f *topCmd) follow(ctx context.Context, c *console, w *watch) error {
	if _, err := w.next(ctx); err != nil {
		return err
	}
	for {
		if err := pause(ctx, f.interval); err != nil {
			return err
		}
		rows, err := w.next(ctx)
		if err != nil {
			return err
		}
		for _, r := range f.arranged(rows) {
			if err := c.line(r); err != nil {
				return &statusError{statusLocal, err}
			}
		}
	}
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

func (f *topCmd) arranged(rows []top.Row) []top.Row {
	if !f.instances {
		rows = top.ByMethod(rows)
	}
	top.Sort(rows, f.sort)
	return rows
}

// topTable shows rows.
func topTable(rows []top.Row, instances bool) *table {
	t := &table{head: []string{"METHOD", "SERVICE", "INSTANCES", "CALLS/S", "ERRORS/S", "P50", "P99", "WAIT P99", "IN FLIGHT", "DEPTH", "STATE"}}
	t.right = map[int]bool{2: true, 3: true, 4: true, 5: true, 6: true, 7: true, 8: true, 9: true}
	if instances {
		t.head[2], t.right[2] = "INSTANCE", false
	}
	for _, r := range rows {
		who := strconv.Itoa(r.Instances)
		if instances {
			who = untrusted.Text(r.Instance, 24)
		}
		depth := "?"
		if r.Depth >= 0 {
			depth = strconv.Itoa(r.Depth)
		}
		t.add(untrusted.Text(r.Queue, 40), untrusted.Text(r.Service, 20), who, digits(r.Rate), digits(r.Errors),
			took(r.P50), took(r.P99), took(r.Queued), strconv.FormatInt(r.InFlight, 10), depth, rowState(r))
	}
	return t
}

// rowState says whether the servers of a row are there, and what failed in the last minute.
func rowState(r top.Row) string {
	state := "served"
	switch {
	case r.Instances == 0:
		state = "gone"
	case !r.Served:
		state = "not served"
	case r.Gone > 0:
		state = fmt.Sprintf("served, %d gone", r.Gone)
	}
	if r.LastError != "" {
		state += "  " + untrusted.Text(r.LastError, 60)
	}
	return state
}
