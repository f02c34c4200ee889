package cli

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/bbebcec1/amqprpc-go/amqprpc/describe"
)

func pingCommand() *cobra.Command {
	var instance string
	cmd := &cobra.Command{
		Use:   "ping [SERVICE]",
		Short: "List the servers that are there",
		Long: `ping asks all servers, or those of one service, who they are. It is the quickest test that servers can
be reached. The exit status is 3 if nobody answers.`,
		Example: `  amqprpc ping
  amqprpc ping inventory --json | jq length`,
		Args: cobra.MaximumNArgs(1), ValidArgsFunction: completeServices,
		RunE: func(cmd *cobra.Command, args []string) error {
			q := questionOf(cmd)
			if q.instance = instance; len(args) > 0 {
				q.service = args[0]
			}
			return runPing(cmd, q)
		},
	}
	cmd.Flags().StringVar(&instance, "instance", "", "ask the server with this `ID` alone")
	return cmd
}

func runPing(cmd *cobra.Command, q question) error {
	ctx, c := cmd.Context(), consoleOf(cmd)
	cli, err := c.dial(cmd)
	if err != nil {
		return err
	}
	defer cli.Close()
	all, err := pings(ctx, cli, c, q)
	if err != nil {
		return err
	}
	slices.SortFunc(all, func(a, b describe.Ping) int {
		return strings.Compare(a.Name+"\x00"+a.Instance, b.Name+"\x00"+b.Instance)
	})
	if c.asJSON {
		if err := c.json(append([]describe.Ping{}, all...)); err != nil {
			return err
		}
	} else if len(all) > 0 {
		t := &table{head: []string{"INSTANCE", "SERVICE", "VERSION", "HOST", "PID", "UP", "METHODS"}, right: map[int]bool{4: true, 5: true, 6: true}}
		for _, p := range all {
			t.add(identityCells(p.Identity, strconv.Itoa(len(p.Methods)))...)
		}
		t.print(c, "")
	}
	if len(all) == 0 {
		return nobody(q)
	}
	return c.written
}

// identityCells are the columns that say who a server is.
func identityCells(id describe.Identity, more ...string) []string {
	return append([]string{title(id.Instance), title(id.Name), title(id.Version), title(id.Host), strconv.Itoa(id.PID), since(id.Started, time.Now())}, more...)
}
