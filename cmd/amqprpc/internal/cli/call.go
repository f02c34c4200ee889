package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/bbebcec1/amqprpc-go/cmd/amqprpc/internal/invoke"
)

type callCmd struct {
	callFlags
	explain, idempotent, notify bool
	instance                    string
}

func callCommand() *cobra.Command {
	var f callCmd
	cmd := &cobra.Command{
		Use:   "call METHOD [REQUEST]",
		Short: "Call a method, and print its response",
		Long: `call sends a request to the queue METHOD and prints the response. The request is validated first,
if a server describes the method.

` + requestHelp,
		Example: `  amqprpc call orders.find '{"id":"A-1000"}'
  amqprpc call orders.find id=A-1000
  amqprpc describe orders.place --template > order.json; amqprpc call orders.place @order.json
  amqprpc call orders.find id=A-1000 --explain
  amqprpc call orders.find id=A-1000 --json | jq .timing.total_ns`,
		Args: methodArgs(requestArgs), ValidArgsFunction: completeMethods(1),
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, args[0], args[1:]) },
	}
	f.add(cmd, "30s")
	cmd.Flags().BoolVar(&f.explain, "explain", false, "show where the time of the call went")
	cmd.Flags().BoolVar(&f.idempotent, "idempotent", false, "the handler may run twice: send the request again if its fate is unknown")
	cmd.Flags().BoolVar(&f.notify, "notify", false, "ask for no response, and end when the broker has the request")
	cmd.Flags().StringVar(&f.instance, "instance", "", "call the server with this `ID` alone")
	return cmd
}

func (f *callCmd) run(cmd *cobra.Command, queue string, args []string) error {
	if f.notify && f.explain {
		return usage(errors.New("--notify and --explain exclude each other: nobody learns how a notification went on"))
	}
	ctx, c := cmd.Context(), consoleOf(cmd)
	p, err := f.prepare(cmd, c, queue, f.instance, args)
	if err != nil {
		return err
	}
	defer p.cli.Close()
	p.options.Instance, p.options.Idempotent = f.instance, f.idempotent
	if f.notify {
		return notify(ctx, c, p)
	}
	defer waiting(c, queue)()
	r, err := invoke.Call(ctx, p.cli, p.method, p.request, p.options)
	if c.asJSON {
		if werr := c.json(resultOf(r, err)); err == nil || werr != nil {
			return werr
		}
		return shown(err)
	}
	c.progress("")
	if f.explain {
		explain(c, r.Timing)
	}
	if err != nil {
		return err
	}
	c.raw(r.Response)
	return c.written
}

func notify(ctx context.Context, c *console, p *prepared) error {
	if err := invoke.Notify(ctx, p.cli, p.method, p.request, p.options); err != nil {
		return err
	}
	if c.asJSON {
		return c.json(map[string]any{"sent": true})
	}
	return nil
}

// waiting shows after a second that the command waits. The caller calls the function that it
// returns when the wait is over.
func waiting(c *console, queue string) (stop func()) {
	if !c.errTerm {
		return func() {}
	}
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		ticker := time.NewTicker(time.Second)
		defer ticker.Stop()
		for start := time.Now(); ; {
			select {
			case <-done:
				c.progress("")
				return
			case <-ticker.C:
				c.progress("waiting for %s: %d s …", name(queue), int(time.Since(start).Seconds()))
			}
		}
	}()
	return func() { close(done); <-ended }
}

// explain shows the way of a call on the error output.
func explain(c *console, t invoke.Timing) {
	parts := []part{
		{"sent", "until the request was on the connection", t.Sent},
		{"queued", "until a handler took it (an estimate)", t.Queued},
		{"handler", "while the handler ran", t.Handler},
		{"back", "the rest: network, broker, client", t.Back},
	}
	if !t.Known {
		parts = []part{parts[0], {"rest", "the server does not say where this time went", t.Back}}
	}
	const width = 24
	for _, p := range parts {
		bar := ""
		if t.Total > 0 {
			bar = strings.Repeat("█", min(int(width*float64(p.d)/float64(t.Total)+0.5), width))
		}
		fmt.Fprintf(c.err, "%-8s %8s  %-*s  %s\n", p.name, took(p.d), width, bar, p.text)
	}
	fmt.Fprintf(c.err, "%-8s %8s\n", "total", took(t.Total))
}

// part is a part of the time of a call.
type part struct {
	name, text string
	d          time.Duration
}
