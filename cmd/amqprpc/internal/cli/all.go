package cli

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/cmd/amqprpc/internal/invoke"
	"github.com/bbebcec1/amqprpc-go/cmd/amqprpc/internal/untrusted"
)

func allCommand() *cobra.Command {
	var f callFlags
	cmd := &cobra.Command{
		Use:   "all METHOD [REQUEST]",
		Short: "Call a method on every server, and print all answers",
		Long: `all sends a request to every server whose handler of METHOD takes broadcasts, and prints the
answers as they come. Each line has the ID of a server and its answer.

` + requestHelp,
		Example: `  amqprpc all inventory.check sku=TEA-104
  amqprpc all inventory.check sku=TEA-104 --json | jq .response`,
		Args: methodArgs(requestArgs), ValidArgsFunction: completeMethods(1),
		RunE: func(cmd *cobra.Command, args []string) error { return runAll(cmd, &f, args[0], args[1:]) },
	}
	f.add(cmd, "30s")
	return cmd
}

func runAll(cmd *cobra.Command, f *callFlags, queue string, args []string) error {
	c := consoleOf(cmd)
	p, err := f.prepare(cmd, c, queue, "", args)
	if err != nil {
		return err
	}
	defer p.cli.Close()
	defer waiting(c, queue)()
	var first error // of an instance
	for r, err := range invoke.All(cmd.Context(), p.cli, p.method, p.request, p.options) {
		if err != nil && r.Instance == "" {
			return err
		}
		if err != nil && first == nil {
			first = err
		}
		if err := c.answer(r, err); err != nil {
			return &statusError{statusLocal, err}
		}
	}
	if first != nil {
		return shown(first)
	}
	return nil
}

// answer prints what one instance has answered.
func (c *console) answer(r invoke.Result, err error) error {
	c.progress("")
	if c.asJSON {
		return c.line(resultOf(r, err))
	}
	text := string(untrusted.JSON(r.Response))
	if err != nil {
		text = c.alarming("error: " + untrusted.Text(err.Error(), untrusted.Line))
		if e, ok := errors.AsType[*amqprpc.Error](err); ok {
			text += " (outcome: " + e.Outcome().String() + ")"
		}
	}
	c.printf("%s  %s\n", c.bold(name(r.Instance)), text)
	return c.written
}
