package cli

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/bbebcec1/amqprpc-go/amqprpc/discovery"
	"github.com/bbebcec1/amqprpc-go/cmd/amqprpc/internal/untrusted"
)

func asyncapiCommand() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "asyncapi [SERVICE]",
		Short: "Write AsyncAPI 3.1 of live services",
		Long: `asyncapi asks all servers, or those of one service, to describe themselves. It writes an AsyncAPI 3.1
document in JSON. A Go program can write the document of its own server with discovery.AsyncAPI,
without a broker.`,
		Example: `  amqprpc asyncapi > asyncapi.json
  amqprpc asyncapi orders -o orders.json`,
		Args: cobra.MaximumNArgs(1), ValidArgsFunction: completeServices,
		RunE: func(cmd *cobra.Command, args []string) error {
			q := questionOf(cmd)
			if len(args) > 0 {
				q.service = args[0]
			}
			return runAsyncapi(cmd, q, output)
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "", "write to this `file`")
	return cmd
}

func runAsyncapi(cmd *cobra.Command, q question, output string) error {
	c := consoleOf(cmd)
	all, err := c.dialInfos(cmd, q)
	if err != nil {
		return err
	}
	if len(all) == 0 {
		return nobody(q)
	}
	doc, err := discovery.AsyncAPIOf(all...)
	if err != nil {
		return fmt.Errorf("the document cannot be made: %w", err)
	}
	doc = append(untrusted.JSON(doc), '\n')
	if output != "" {
		return os.WriteFile(output, doc, 0o644)
	}
	c.printf("%s", doc)
	return c.written
}
