// Package demo is the tour of half a minute: a broker, a small shop of services with some
// customers, and the page, all in one process.
package demo

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
	"github.com/bbebcec1/amqprpc-go/cmd/amqprpc/internal/web"
	"github.com/bbebcec1/amqprpc-go/schema"
)

// Command returns the command demo.
func Command() *cobra.Command {
	var listen, broker string
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Show everything with a broker and a small shop in one process",
		Long: "Start a broker, a small shop of services with some customers, and the page, all in this process.\n" +
			"Nothing is installed, and nothing is left when you press Ctrl+C.",
		Example: "  amqprpc demo",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return run(cmd.Context(), cmd.OutOrStdout(), listen, broker)
		},
	}
	cmd.Flags().StringVar(&listen, "listen", web.DefaultAddr, "host and port of the page")
	cmd.Flags().StringVar(&broker, "broker", "127.0.0.1:0", "host and port of the broker; port 0 is any free port")
	return cmd
}

// run runs the demo until ctx ends.
func run(ctx context.Context, out io.Writer, listen, broker string) error {
	l, err := web.Listen(listen, "")
	if err != nil {
		return fmt.Errorf("%w; choose another address with --listen", err)
	}
	defer l.Close() // Serve has closed it, unless something failed before
	b, err := amqptest.Listen(broker)
	if err != nil {
		return fmt.Errorf("start the broker: %w; choose another address with --broker", err)
	}
	defer b.Close()
	group, ctx := errgroup.WithContext(ctx)
	for _, srv := range shop(b.URL()) {
		group.Go(func() error { return srv.Serve(ctx) })
		select {
		case <-srv.Ready():
		case <-ctx.Done():
			return group.Wait()
		}
	}
	group.Go(func() error { return visit(ctx, b.URL()) })
	group.Go(func() error { return show(ctx, b.URL(), l) })
	greet(out, l.Addr(), b.URL())
	if err := group.Wait(); err != nil {
		return err
	}
	fmt.Fprintln(out, "The shop is closed.")
	return nil
}

// shop returns the servers. One of the inventory is of the next version, so that there is
// something to notice.
func shop(url string) (servers []*amqprpc.Server) {
	add := func(s amqprpc.Service, register func(*amqprpc.Server)) {
		srv := amqprpc.NewServer(url, amqprpc.WithService(s), amqprpc.WithSchemas(schema.Of), amqprpc.WithLogger(nil), amqprpc.WithDrainTimeout(time.Second))
		register(srv)
		servers = append(servers, srv)
	}
	team := map[string]string{"team": "shop"}
	add(amqprpc.Service{Name: "orders", Version: "2.3.1", Description: "Takes orders and remembers them.", Metadata: team}, newOrders().register)
	for _, version := range []string{"1.8.0", "1.8.0", "1.9.0-rc.1"} {
		add(amqprpc.Service{Name: "inventory", Version: version, Description: "Knows what is in the warehouses.", Metadata: team},
			func(srv *amqprpc.Server) { registerInventory(srv, version != "1.8.0") })
	}
	add(amqprpc.Service{Name: "shop-floor", Version: "0.4.0", Description: "Shows prices, and talks with customers.", Metadata: team}, registerFloor)
	return servers
}

// visit lets customers call until ctx ends.
func visit(ctx context.Context, url string) error {
	cli, err := amqprpc.NewClient(url, amqprpc.WithLogger(nil), amqprpc.WithConnectionName("customers"))
	if err != nil {
		return err
	}
	defer cli.Close()
	customers(ctx, cli)
	return nil
}

// show serves the page until ctx ends.
func show(ctx context.Context, url string, l net.Listener) error {
	cli, err := amqprpc.NewClient(url, amqprpc.WithLogger(nil), amqprpc.WithConnectionName("amqprpc demo"))
	if err != nil {
		return err
	}
	defer cli.Close()
	return web.New(web.Config{Client: cli}).Serve(ctx, l)
}

func greet(out io.Writer, page net.Addr, url string) {
	program := "amqprpc"
	if strings.Contains(os.Args[0], "go-build") { // go run
		program = "go -C cmd/amqprpc run ."
	}
	fmt.Fprintf(out, `The shop is open:  http://%s/

Three commands to try in another terminal:

  export AMQP_URL=%s
  %[3]s ls
  %[3]s call orders.find '{"id":"A-1000"}'
  %[3]s top

Press Ctrl+C to close the shop.
`, page, url, program)
}
