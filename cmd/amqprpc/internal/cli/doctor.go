package cli

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/amqprpc/discovery"
	"github.com/bbebcec1/amqprpc-go/cmd/amqprpc/internal/connect"
	"github.com/bbebcec1/amqprpc-go/cmd/amqprpc/internal/doctor"
	"github.com/bbebcec1/amqprpc-go/cmd/amqprpc/internal/untrusted"
)

func doctorCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "doctor",
		Short: "Look for what keeps calls from working",
		Long: `doctor connects and checks: whether the broker lets this user in and is of a version that is tested,
whether servers can be asked about themselves, whether the queues that they name exist and have
consumers, whether clocks differ, and whether the servers of one queue agree about it. For each
fault, it says what to do. The exit status is 1 if there is a problem.`,
		Example: `  amqprpc doctor
  amqprpc doctor --json | jq '.[] | select(.result != "ok")'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runDoctor(cmd) },
	}
}

func runDoctor(cmd *cobra.Command) error {
	c := consoleOf(cmd)
	target, err := connect.TargetOf(cmd)
	if err != nil {
		return err
	}
	c.progress("connecting …")
	found, connected := examine(cmd.Context(), c, target, questionOf(cmd))
	c.progress("")
	if err := cmd.Context().Err(); err != nil {
		return err
	}
	if c.asJSON {
		if err := c.json(found); err != nil {
			return err
		}
	} else {
		c.findings(target, found)
	}
	if !connected {
		return &statusError{statusConnection, errShown}
	}
	for _, f := range found {
		if f.Result == doctor.Problem {
			return &statusError{statusAnswered, errShown}
		}
	}
	return c.written
}

// examine makes all checks.
func examine(ctx context.Context, c *console, target connect.Target, q question) (found []doctor.Finding, connected bool) {
	cli, err := connect.DialTarget(ctx, target)
	found = append(found, doctor.Dialled(err))
	if err != nil {
		return found, false
	}
	defer cli.Close()
	c.progress("asking servers …")
	answers := askAll(ctx, cli, q)
	c.progress("looking at the broker …")
	found = append(found, doctor.Blocked(cli.Status())...)
	found = append(found, doctor.Broker(ctx, target.URL, answers.Infos)...)
	found = append(found, doctor.Discovery(answers)...)
	found = append(found, doctor.Unserved(answers.Stats)...)
	found = append(found, doctor.Clocks(answers.Stats)...)
	found = append(found, doctor.Differences(answers.Infos)...)
	return found, true
}

// askAll asks all servers for all that the doctor needs.
func askAll(ctx context.Context, cli *amqprpc.Client, q question) (a doctor.Answers) {
	c := &console{out: discard{}, err: discard{}, broken: &a.Broken}
	if a.Infos, a.Err = infos(ctx, cli, c, q); a.Err != nil {
		return a
	}
	asked := time.Now()
	timed := func(yield func(doctor.Stats, error) bool) {
		for s, err := range discovery.Stats(ctx, cli, q.filters()...) {
			if !yield(doctor.Stats{Stats: s, Asked: asked, Got: time.Now()}, err) {
				return
			}
		}
	}
	a.Stats, a.Err = collect(c, timed, func(s doctor.Stats) int { return sizeOfStats(s.Stats) })
	return a
}

// findings shows what was found.
func (c *console) findings(target connect.Target, found []doctor.Finding) {
	c.printf("%s (%s)\n\n", c.bold(name(target.String())), target.Source)
	marks := map[string]string{doctor.OK: c.good("ok     "), doctor.Warning: c.bold("warning"), doctor.Problem: c.alarming("PROBLEM"), doctor.Unknown: c.faint("unknown")}
	for _, f := range found {
		c.printf("%s  %-10s  %s\n", marks[f.Result], f.Check, untrusted.Text(f.Text, untrusted.Line))
		if f.Advice != "" {
			c.printf("%s  %s\n", "                  →", untrusted.Text(f.Advice, untrusted.Line))
		}
	}
}
