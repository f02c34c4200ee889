package web

import (
	"cmp"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/bbebcec1/amqprpc-go/cmd/amqprpc/internal/connect"
)

// DefaultAddr is where the page listens if nothing else is said.
const DefaultAddr = "127.0.0.1:8672"

// EnvToken is the environment variable for the token, which others on the machine cannot see
// as they see arguments.
const EnvToken = "AMQPRPC_WEB_TOKEN"

// Command returns the command web. Its broker is that of package connect.
func Command() *cobra.Command {
	var listen, token string
	var hosts []string
	cmd := &cobra.Command{
		Use:   "web",
		Short: "Serve a page that shows and calls everything",
		Long: "Serve a page that shows all services, calls their methods, watches streams, and draws how they do.\n" +
			"The page can call everything that the user of the broker may call. Therefore it listens only on this\n" +
			"machine, unless you set a token of at least 16 bytes. The browser never gets the URL of the broker.",
		Example: "  amqprpc web\n" +
			"  amqprpc web --url amqp://guest:guest@broker:5672/\n" +
			"  " + EnvToken + "=$(openssl rand -hex 16) amqprpc web --listen 0.0.0.0:8672 --host tools.example.com",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			token := cmp.Or(token, os.Getenv(EnvToken))
			l, err := Listen(listen, token)
			if err != nil {
				return err
			}
			defer l.Close() // Serve has closed it, unless there is no connection
			cli, err := connect.Dial(cmd.Context(), cmd)
			if err != nil {
				return err
			}
			defer cli.Close()
			fmt.Fprintf(cmd.OutOrStdout(), "The page is at http://%s/\n", l.Addr())
			if token != "" {
				fmt.Fprintf(cmd.OutOrStdout(), "It asks for the token. http://%s/#token=… does not ask.\n", l.Addr())
			}
			return New(Config{Client: cli, Token: token, Hosts: hosts}).Serve(cmd.Context(), l)
		},
	}
	cmd.Flags().StringVar(&listen, "listen", DefaultAddr, "host and port of the page")
	cmd.Flags().StringVar(&token, "token", "", "the token that browsers must show (default: $"+EnvToken+")")
	cmd.Flags().StringArrayVar(&hosts, "host", nil, "a name under which browsers reach the page, besides localhost and addresses; may be repeated")
	return cmd
}
