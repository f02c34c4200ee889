package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/bbebcec1/amqprpc-go/cmd/amqprpc/internal/connect"
)

func contextCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "context",
		Short: "Name brokers, and choose one of them",
		Long: `context keeps the URLs of brokers under names, in a file that only you can read. The current
context is used unless --url, --context or AMQP_URL names another broker. The file has the passwords.
They are never printed.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(
		&cobra.Command{
			Use:   "add NAME URL",
			Short: "Add a broker, or change its URL",
			Long: `add keeps the URL of a broker under a name. The first context becomes the current one. If
URL is -, the command reads the URL from the first line of the input. This keeps the password out of
the history of your shell.`,
			Example: `  amqprpc context add local amqp://guest:guest@localhost:5672/
  pass show broker/prod | amqprpc context add prod -`,
			Args: cobra.ExactArgs(2),
			RunE: func(cmd *cobra.Command, args []string) error { return addContext(cmd, args[0], args[1]) },
		},
		&cobra.Command{
			Use: "use NAME", Short: "Make a broker the current one", Example: "  amqprpc context use prod",
			Args: cobra.ExactArgs(1), ValidArgsFunction: completeContexts,
			RunE: func(cmd *cobra.Command, args []string) error {
				return changeContexts(cmd, func(c *connect.Contexts) error { return c.Use(args[0]) })
			},
		},
		&cobra.Command{
			Use: "ls", Short: "List the brokers", Example: "  amqprpc context ls",
			Args: cobra.NoArgs,
			RunE: func(cmd *cobra.Command, _ []string) error { return listContexts(cmd) },
		},
		&cobra.Command{
			Use: "rm NAME", Short: "Remove a broker", Example: "  amqprpc context rm prod",
			Args: cobra.ExactArgs(1), ValidArgsFunction: completeContexts,
			RunE: func(cmd *cobra.Command, args []string) error {
				return changeContexts(cmd, func(c *connect.Contexts) error { return c.Remove(args[0]) })
			},
		},
	)
	return cmd
}

func addContext(cmd *cobra.Command, name, url string) error {
	if url == "-" {
		line, err := bufio.NewReader(io.LimitReader(cmd.InOrStdin(), 64<<10)).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("cannot read the URL: %w", err)
		}
		url = strings.TrimSpace(line)
	}
	return changeContexts(cmd, func(c *connect.Contexts) error { return c.Add(name, url) })
}

// changeContexts changes the file, and shows the contexts afterwards.
func changeContexts(cmd *cobra.Command, change func(*connect.Contexts) error) error {
	c, err := connect.Load(connect.EnvironmentOf(cmd.Context()))
	if err != nil {
		return err
	}
	if err := change(c); err != nil {
		return usage(err)
	}
	if err := c.Save(); err != nil {
		return err
	}
	return showContexts(cmd, c)
}

func listContexts(cmd *cobra.Command) error {
	c, err := connect.Load(connect.EnvironmentOf(cmd.Context()))
	if err != nil {
		return err
	}
	return showContexts(cmd, c)
}

// contextJSON is a context in the output of --json.
type contextJSON struct {
	Name    string `json:"name"`
	URL     string `json:"url"` // without the password
	Current bool   `json:"current"`
}

func showContexts(cmd *cobra.Command, contexts *connect.Contexts) error {
	c := consoleOf(cmd)
	list := []contextJSON{}
	for _, n := range slices.Sorted(maps.Keys(contexts.URLs)) {
		list = append(list, contextJSON{Name: n, URL: connect.Redacted(contexts.URLs[n]), Current: n == contexts.Current})
	}
	if c.asJSON {
		return c.json(list)
	}
	if len(list) == 0 {
		c.note("there are no contexts in %s; `amqprpc context add NAME URL` adds one", contexts.Path())
		return nil
	}
	t := &table{head: []string{"", "NAME", "URL"}}
	for _, x := range list {
		mark := ""
		if x.Current {
			mark = "*"
		}
		t.add(mark, name(x.Name), name(x.URL))
	}
	t.print(c, "")
	return c.written
}

func completeContexts(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	c, err := connect.Load(connect.EnvironmentOf(cmd.Context()))
	if err != nil || len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return slices.Sorted(maps.Keys(c.URLs)), cobra.ShellCompDirectiveNoFileComp
}
