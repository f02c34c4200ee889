package cli

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"

	"github.com/spf13/cobra"

	"github.com/bbebcec1/amqprpc-go/amqprpc/describe"
	"github.com/bbebcec1/amqprpc-go/cmd/amqprpc/internal/invoke"
)

type streamCmd struct {
	callFlags
	kind  string
	limit int
}

func streamCommand() *cobra.Command {
	var f streamCmd
	cmd := &cobra.Command{
		Use:   "stream METHOD [REQUEST]",
		Short: "Call a stream, and print its messages as they come",
		Long: `stream calls a method that is a stream. It prints each message of the server on a line, as JSON.
If the method takes many messages, they are lines of the input, also as JSON.

A reader that stops, as a pager does, makes the server wait: nothing is lost, and nothing piles up.
Interrupt the command to end the stream.

` + requestHelp,
		Example: `  amqprpc stream prices.watch 'skus=["TEA-104"]' interval_ms=300
  amqprpc stream prices.watch 'skus=["TEA-104","CUP-7"]' interval_ms=0 --limit 3
  amqprpc stream inventory.import < rows.ndjson
  amqprpc stream support.chat --kind bidi`,
		Args: methodArgs(requestArgs), ValidArgsFunction: completeMethods(1),
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, args[0], args[1:]) },
	}
	f.add(cmd, "none")
	cmd.Flags().StringVar(&f.kind, "kind", "", "server, client or bidi: what the method is, if no server describes it")
	cmd.Flags().IntVarP(&f.limit, "limit", "n", 0, "end the stream after this many messages of the server (default: no limit)")
	_ = cmd.RegisterFlagCompletionFunc("kind", cobra.FixedCompletions([]string{"server", "client", "bidi"}, cobra.ShellCompDirectiveNoFileComp)) // the flag exists
	return cmd
}

var kindsByFlag = map[string]string{"server": describe.KindServerStream, "client": describe.KindClientStream, "bidi": describe.KindBidiStream, "": ""}

func (f *streamCmd) run(cmd *cobra.Command, queue string, args []string) error {
	if f.limit < 0 {
		return usage(fmt.Errorf("--limit %d: it is at least 0, and 0 is no limit", f.limit))
	}
	kind, ok := kindsByFlag[f.kind]
	if !ok {
		return usage(fmt.Errorf("--kind %.100q: it is server, client or bidi", f.kind))
	}
	c := consoleOf(cmd)
	p, err := f.open(cmd, c, queue, "")
	if err != nil {
		return err
	}
	defer p.cli.Close()
	if p.method.Known() {
		kind = p.method.Kind
	}
	ctx, stop := context.WithCancel(cmd.Context())
	defer stop()
	switch kind {
	case describe.KindUnary:
		return usage(fmt.Errorf("%s is no stream: use `amqprpc call %s`", name(queue), name(queue)))
	case describe.KindClientStream, describe.KindBidiStream:
		if len(args) > 0 {
			return usage(fmt.Errorf("%s is a %s: its requests are lines of the input, not arguments", name(queue), kindName(kind)))
		}
		if isTerminal(cmd.InOrStdin()) {
			c.note("type one message in JSON on each line, and end with Ctrl-D")
		}
		if kind == describe.KindClientStream {
			return f.upload(ctx, c, p, lines(ctx, cmd.InOrStdin()))
		}
		return f.bidi(ctx, c, p, cmd.InOrStdin())
	}
	request, err := requestOf(p.method, args, cmd.InOrStdin(), !f.noValidate)
	if err != nil {
		return err
	}
	return f.show(c, invoke.ServerStream(ctx, p.cli, p.method, request, p.options))
}

// show prints the messages of a server, and returns the error that ended them.
func (f *streamCmd) show(c *console, messages iter.Seq2[json.RawMessage, error]) error {
	n := 0
	for message, err := range messages {
		if err != nil {
			return err
		}
		if err := c.line(message); err != nil {
			return &statusError{statusLocal, err}
		}
		if n++; n == f.limit {
			break
		}
	}
	return nil
}

func (f *streamCmd) upload(ctx context.Context, c *console, p *prepared, rows iter.Seq2[json.RawMessage, error]) error {
	sent := 0
	counted := func(yield func(json.RawMessage, error) bool) {
		for row, err := range rows {
			if !yield(row, err) {
				return
			}
			if sent++; sent%100 == 0 {
				c.progress("%s sent …", plural(sent, "message"))
			}
		}
	}
	r, err := invoke.ClientStream(ctx, p.cli, p.method, counted, p.options)
	c.progress("")
	if _, ok := errors.AsType[*invoke.InvalidError](err); ok {
		err = &lineError{sent + 1, err}
	}
	if c.asJSON {
		if werr := c.json(resultOf(r, err)); err == nil || werr != nil {
			return werr
		}
		return shown(err)
	}
	if err != nil {
		return err
	}
	c.raw(r.Response)
	return c.written
}

// bidi sends the lines of the input while it prints what comes. A line that does not fit ends
// the stream, except at a terminal, where a person may try again.
func (f *streamCmd) bidi(ctx context.Context, c *console, p *prepared, in io.Reader) error {
	stream, err := invoke.OpenBidi(ctx, p.cli, p.method, p.options)
	if err != nil {
		return err
	}
	defer stream.Close()
	failed := make(chan error, 1)
	go func() {
		err := send(stream, lines(ctx, in), func(err error) bool {
			if isTerminal(in) {
				showError(&console{err: c.err}, err)
			}
			return isTerminal(in)
		})
		if failed <- err; err != nil {
			stream.Close()
		}
	}()
	err = f.show(c, stream.All())
	select {
	case sendErr := <-failed:
		if sendErr != nil {
			return sendErr
		}
	default:
	}
	return err
}

// send sends all rows. onInvalid says whether to go on after a message that does not fit.
func send(stream *invoke.Bidi, rows iter.Seq2[json.RawMessage, error], onInvalid func(error) bool) error {
	n := 0
	for row, err := range rows {
		n++
		if err == nil {
			err = stream.Send(row)
		}
		if _, ok := errors.AsType[*invoke.InvalidError](err); ok {
			if onInvalid(err) {
				continue
			}
			return &lineError{n, err}
		}
		if errors.Is(err, io.EOF) {
			return nil // Recv has the reason
		}
		if err != nil {
			return err
		}
	}
	return stream.CloseSend()
}

// lineError is the error of a message in the input.
type lineError struct {
	line int // empty lines do not count
	err  error
}

func (e *lineError) Error() string { return fmt.Sprintf("line %d of the input: %v", e.line, e.err) }
func (e *lineError) Unwrap() error { return e.err }

// lines returns the lines of an input, without empty ones, until ctx ends.
func lines(ctx context.Context, in io.Reader) iter.Seq2[json.RawMessage, error] {
	return func(yield func(json.RawMessage, error) bool) {
		type next struct {
			line []byte
			err  error
		}
		read, done := make(chan next), make(chan struct{})
		defer close(done)
		// A read of a terminal cannot be interrupted: the goroutine may outlast this function.
		go func() {
			r := bufio.NewReaderSize(in, 64<<10)
			for err := error(nil); err == nil; {
				var n next
				n.line, err = line(r)
				n.err = err
				select {
				case read <- n:
				case <-done:
					return
				}
			}
		}()
		for {
			select {
			case <-ctx.Done():
				yield(nil, ctx.Err())
				return
			case n := <-read:
				if text := bytes.TrimSpace(n.line); len(text) > 0 && !yield(text, nil) {
					return
				}
				if n.err == io.EOF {
					return
				}
				if n.err != nil {
					yield(nil, &statusError{statusUsage, fmt.Errorf("cannot read the input: %w", n.err)})
					return
				}
			}
		}
	}
}

var errLongLine = fmt.Errorf("a line has more than %d MiB", maxRequest>>20)

// line reads a line of at most maxRequest bytes.
func line(r *bufio.Reader) ([]byte, error) {
	var all []byte
	for {
		part, err := r.ReadSlice('\n')
		if all = append(all, part...); len(all) > maxRequest {
			return nil, errLongLine
		}
		if err != bufio.ErrBufferFull {
			return all, err
		}
	}
}
