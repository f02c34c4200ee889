package cli

import (
	"encoding/json"

	"github.com/spf13/cobra"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/amqprpc/describe"
	"github.com/bbebcec1/amqprpc-go/cmd/amqprpc/internal/invoke"
)

// prepared is what the call of a method needs. The command closes the client.
type prepared struct {
	cli     *amqprpc.Client
	method  *invoke.Method
	request json.RawMessage // of prepare
	options invoke.Options
}

// open connects, and finds out what the servers of a queue say about it, or what one instance
// says. instance may be "".
func (f *callFlags) open(cmd *cobra.Command, c *console, queue, instance string) (*prepared, error) {
	o, err := f.options()
	if err != nil {
		return nil, err
	}
	cli, err := c.dial(cmd)
	if err != nil {
		return nil, err
	}
	q := questionOf(cmd)
	q.queue, q.instance = queue, instance
	m, err := method(cmd.Context(), cli, c, q)
	if err != nil {
		cli.Close()
		return nil, err
	}
	return &prepared{cli: cli, method: m, options: o}, nil
}

// prepare opens a method that has one response, and makes its request of the arguments or of the
// input.
func (f *callFlags) prepare(cmd *cobra.Command, c *console, queue, instance string, args []string) (*prepared, error) {
	p, err := f.open(cmd, c, queue, instance)
	if err != nil {
		return nil, err
	}
	if isStream(p.method) {
		err = notUnary(p.method)
	} else {
		p.request, err = requestOf(p.method, args, cmd.InOrStdin(), !f.noValidate)
	}
	if err != nil {
		p.cli.Close()
		return nil, err
	}
	return p, nil
}

// dialInfos connects for one question: it returns the descriptions of all servers.
func (c *console) dialInfos(cmd *cobra.Command, q question) ([]describe.Info, error) {
	cli, err := c.dial(cmd)
	if err != nil {
		return nil, err
	}
	defer cli.Close()
	return infos(cmd.Context(), cli, c, q)
}
