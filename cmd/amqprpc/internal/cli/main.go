// Package cli has the commands of the program amqprpc.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/cmd/amqprpc/internal/connect"
	"github.com/bbebcec1/amqprpc-go/cmd/amqprpc/internal/demo"
	"github.com/bbebcec1/amqprpc-go/cmd/amqprpc/internal/invoke"
	"github.com/bbebcec1/amqprpc-go/cmd/amqprpc/internal/untrusted"
	"github.com/bbebcec1/amqprpc-go/cmd/amqprpc/internal/web"
)

// Streams are the input and the outputs of a command.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
}

// Main runs the command that args name, without the name of the program, and returns its exit
// status. The command ends when ctx does.
func Main(ctx context.Context, args []string, s Streams) int {
	root := New()
	began := false
	root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error {
		began = true
		if q := questionOf(cmd); q.wait < 0 {
			return usage(fmt.Errorf("--wait %v: it is at least 0", q.wait))
		}
		return nil
	}
	root.SetArgs(args)
	root.SetIn(s.In)
	root.SetOut(s.Out)
	root.SetErr(s.Err)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return statusOK
	}
	if !began { // cobra's own errors
		err = usage(fmt.Errorf("%s; see `%s --help`", strings.Join(strings.Fields(err.Error()), " "), cmd.CommandPath()))
	}
	status := statusOf(err)
	if ctx.Err() != nil {
		status = statusInterrupted
		if !errors.Is(err, errShown) && cmd.Name() != "call" { // of a call, the outcome matters
			err = interruptedError{}
		}
	}
	if !errors.Is(err, errShown) {
		c := consoleOf(cmd)
		c.asJSON = c.asJSON || !began && slices.Contains(args, "--json") // flags behind a wrong one are not read
		showError(c, err)
	}
	return status
}

// interruptedError is the error of a command that was interrupted.
type interruptedError struct{}

func (interruptedError) Error() string { return "the command was interrupted" }
func (interruptedError) Unwrap() error { return context.Canceled }

// errShown is wrapped by errors that the command has shown itself.
var errShown = errors.New("shown")

// shown returns err with its status for a command that has shown it.
func shown(err error) error { return &statusError{statusOf(err), errShown} }

// negative matches cobra's error for a negative number, which looks like a flag.
var negative = regexp.MustCompile(`^unknown shorthand flag: '[0-9]'`)

// New returns the root command with all others.
func New() *cobra.Command {
	root := &cobra.Command{
		Use:   "amqprpc",
		Short: "See and call the services behind a RabbitMQ broker",
		Long: `amqprpc shows the services behind a RabbitMQ broker, and calls their methods.

Servers of amqprpc describe themselves: which methods they have, what the methods take and give,
and how they do. No registry is needed besides the broker. Other servers can be called, too.

The broker is that of --url, --context, the variable AMQP_URL, or the current context. The examples
call the services of amqprpc demo.`,
		Example: `  amqprpc ls
  amqprpc describe orders.place --template
  amqprpc call orders.find id=A-1000
  amqprpc stream prices.watch '{"skus":["TEA-104"],"interval_ms":300}'
  amqprpc --url amqp://user:password@broker:5672/ top`,
		SilenceUsage: true, SilenceErrors: true, Version: version(),
	}
	connect.AddFlags(root)
	root.PersistentFlags().Bool("json", false, "write JSON, also for errors")
	root.PersistentFlags().Duration("wait", 0, "how long to wait for servers that describe themselves (default: until no more of them answer)")
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error {
		if negative.MatchString(err.Error()) {
			return fmt.Errorf("%w; write -- before a request that begins with a minus", err)
		}
		return err
	})
	root.AddCommand(lsCommand(), describeCommand(), callCommand(), streamCommand(), allCommand(), pingCommand(), topCommand(), benchCommand(),
		asyncapiCommand(), doctorCommand(), contextCommand(), web.Command(), demo.Command())
	return root
}

// version is that of the module, as the build knows it.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "(unknown)"
	}
	return info.Main.Version + " " + info.GoVersion
}

// showError writes an error for people to the error output, and for programs to the output.
func showError(c *console, err error) {
	if c.asJSON {
		_ = c.line(map[string]any{"error": failureOf(err)}) // nothing is left to report it with
		return
	}
	for i, line := range errorLines(err) {
		if i == 0 {
			line = "amqprpc: " + line
		}
		fmt.Fprintln(c.err, line)
	}
}

// failureOf describes err as JSON.
func failureOf(err error) *invoke.Failure {
	f := invoke.FailureOf(err)
	if _, ok := errors.AsType[*amqprpc.Error](err); !ok && len(f.Problems) == 0 && statusOf(err) == statusUsage {
		f.Code, f.Outcome = string(amqprpc.CodeInvalidArgument), amqprpc.OutcomeNotSent.String()
	}
	if _, ok := errors.AsType[*connect.Error](err); ok { // the message of the cause does not name the broker
		f.Message, f.Outcome = err.Error(), amqprpc.OutcomeNotSent.String()
	}
	return f
}

// errorLines returns what people should know of an error: its text, and for the error of a call
// the outcome, the details and what is wrong with the request.
func errorLines(err error) []string {
	f := failureOf(err)
	if len(f.Problems) > 0 {
		lines := []string{"the request does not fit the method, and was not sent:"}
		if e, ok := errors.AsType[*lineError](err); ok {
			lines[0] = fmt.Sprintf("line %d of the input does not fit the method, and was not sent:", e.line)
		}
		for _, p := range f.Problems {
			at := ""
			if p.Path != "" {
				at = "at " + untrusted.Text(p.Path, untrusted.Name) + ": "
			}
			lines = append(lines, "  "+at+untrusted.Text(p.Text, untrusted.Line))
		}
		if e, ok := errors.AsType[*invoke.InvalidError](err); ok && !e.NotJSON {
			lines = append(lines, "  `amqprpc describe "+name(e.Queue)+" --template` shows one that fits")
		}
		return lines
	}
	lines := []string{untrusted.Text(err.Error(), untrusted.Line)}
	e, ok := errors.AsType[*amqprpc.Error](err)
	if _, dialled := errors.AsType[*connect.Error](err); !ok || dialled {
		return lines
	}
	lines = append(lines, "  outcome: "+outcomeText(e.Outcome()))
	for _, k := range slices.Sorted(maps.Keys(f.Details)) {
		lines = append(lines, "  "+name(k)+": "+strings.TrimLeft(indented(f.Details[k], "  "), " "))
	}
	if f.RetryAfter > 0 {
		lines = append(lines, "  call again after "+f.RetryAfter.String())
	}
	return lines
}

// outcomeText says what an outcome means for whoever wants to call again.
func outcomeText(o amqprpc.Outcome) string {
	switch o {
	case amqprpc.OutcomeExecuted:
		return "executed: the handler ran"
	case amqprpc.OutcomeNotSent:
		return "not-sent: no handler has run"
	case amqprpc.OutcomeNotExecuted:
		return "not-executed: no handler has run"
	default:
		return "unknown: a handler may have run"
	}
}
