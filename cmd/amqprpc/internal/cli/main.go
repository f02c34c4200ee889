// Package cli has the commands of the program amqprpc.
package cli

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"
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
	root.SetArgs(args)
	root.SetIn(s.In)
	root.SetOut(s.Out)
	root.SetErr(s.Err)
	if err := root.ExecuteContext(ctx); err != nil {
		fmt.Fprintln(s.Err, err)
		return 1
	}
	return 0
}

// New returns the root command with all others.
func New() *cobra.Command {
	root := &cobra.Command{
		Use: "amqprpc", Short: "See and call the services behind a RabbitMQ broker",
		SilenceUsage: true, SilenceErrors: true,
	}
	return root
}
