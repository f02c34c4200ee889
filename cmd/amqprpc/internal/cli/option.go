package cli

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/cmd/amqprpc/internal/invoke"
)

// requestArgs are the arguments behind the method: a request, or many key=value pairs.
const requestArgs = 10_000

// methodArgs requires a method, and at most so many arguments behind it.
func methodArgs(more int) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) == 0 || args[0] == "" {
			return errors.New("METHOD is missing: `amqprpc ls` lists the methods")
		}
		if n := len(args) - 1; n > more {
			return fmt.Errorf("%s too many behind METHOD", plural(n-more, "argument"))
		}
		return nil
	}
}

// callFlags are the flags of all commands that call methods.
type callFlags struct {
	timeout    time.Duration
	headers    []string
	noValidate bool
}

func (f *callFlags) add(cmd *cobra.Command, timeout string) {
	cmd.Flags().DurationVarP(&f.timeout, "timeout", "t", 0, "how long to wait for the end of the call (default: "+timeout+")")
	cmd.Flags().StringArrayVarP(&f.headers, "header", "H", nil, "metadata of the request, as `name=value`; may be given several times")
	cmd.Flags().BoolVar(&f.noValidate, "no-validate", false, "send the request even if it does not fit the schema of the method")
}

// options returns the flags as options of a call.
func (f *callFlags) options() (invoke.Options, error) {
	o := invoke.Options{Timeout: f.timeout, NoValidate: f.noValidate}
	if f.timeout < 0 {
		return o, usage(fmt.Errorf("--timeout is negative"))
	}
	for _, h := range f.headers {
		key, value, ok := strings.Cut(h, "=")
		if !ok || key == "" {
			return o, usage(fmt.Errorf("--header %.100q: write name=value", h))
		}
		if o.Header == nil {
			o.Header = make(amqprpc.Header)
		}
		o.Header[key] = value
	}
	return o, nil
}
