package cli_test

import (
	"os"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/cmd/amqprpc/internal/cli"
)

// docs/cli.md is what the commands say now.
func TestPageIsFresh(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../../../docs/cli.md")
	require.NoError(t, err)
	require.Equal(t, cli.Page(), string(text), "run go generate ./... in cmd/amqprpc")
}

// Each command has a help text with examples that name it.
func TestEveryCommandHasExamples(t *testing.T) {
	t.Parallel()
	var visit func(*cobra.Command)
	visit = func(cmd *cobra.Command) {
		if cmd.HasSubCommands() {
			for _, sub := range cmd.Commands() {
				visit(sub)
			}
			return
		}
		require.NotEmpty(t, cmd.Short, cmd.CommandPath())
		require.Contains(t, cmd.Example, cmd.CommandPath())
		require.False(t, strings.HasSuffix(cmd.Short, "."), cmd.CommandPath())
	}
	visit(cli.New())
}
