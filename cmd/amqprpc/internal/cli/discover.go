package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/spf13/cobra"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/amqprpc/describe"
	"github.com/bbebcec1/amqprpc-go/amqprpc/discovery"
	"github.com/bbebcec1/amqprpc-go/cmd/amqprpc/internal/fleet"
	"github.com/bbebcec1/amqprpc-go/cmd/amqprpc/internal/invoke"
	"github.com/bbebcec1/amqprpc-go/cmd/amqprpc/internal/untrusted"
)

// What is kept of the answers. A fleet that is larger is cut, and the command says so.
const (
	maxInstances = 20_000
	maxDocuments = 256 << 20 // bytes of schemas and texts in all
	maxProblems  = 20        // broken answers that are reported one by one
)

// question is what a command asks all servers.
type question struct {
	service, queue, instance string
	wait                     time.Duration
}

// questionOf returns the question of a command's flags, about all services.
func questionOf(cmd *cobra.Command) question {
	wait, err := cmd.Flags().GetDuration("wait")
	if err != nil { // a command without the flag, in a test
		wait = 0
	}
	return question{wait: wait}
}

func (q question) filters() []discovery.Filter {
	var fs []discovery.Filter
	if q.service != "" {
		fs = append(fs, discovery.OfService(q.service))
	}
	if q.queue != "" {
		fs = append(fs, discovery.OfQueue(q.queue))
	}
	if q.instance != "" {
		fs = append(fs, discovery.OfInstance(q.instance))
	}
	if q.wait > 0 {
		fs = append(fs, discovery.Quiet(q.wait))
	}
	return fs
}

// collect returns the documents of a sequence, and notes what some instances answered instead.
// The error is that of the whole question.
func collect[T any](c *console, answers iter.Seq2[T, error], size func(T) int) ([]T, error) {
	var all []T
	var bytes, broken int
	defer c.progress("")
	shown := time.Now()
	for doc, err := range answers {
		if one, ok := errors.AsType[*discovery.InstanceError](err); ok {
			if broken++; broken <= maxProblems {
				c.brokenAnswer(one)
			}
			continue
		}
		if err != nil {
			return all, err
		}
		if bytes += size(doc); len(all) == maxInstances || bytes > maxDocuments {
			c.note("only the first %d instances are considered: ask for one service or one queue", len(all))
			break
		}
		all = append(all, doc)
		if time.Since(shown) > 200*time.Millisecond {
			c.progress("%s …", plural(len(all), "instance"))
			shown = time.Now()
		}
	}
	if broken > maxProblems {
		c.note("%d more instances have answered wrongly", broken-maxProblems)
	}
	return all, nil
}

// brokenAnswer notes what is wrong with the answer of an instance, or keeps it for the doctor.
func (c *console) brokenAnswer(e *discovery.InstanceError) {
	if c.broken != nil {
		*c.broken = append(*c.broken, e.Error())
		return
	}
	c.note("instance %s: %s", name(e.ID), untrusted.Text(e.Err.Error(), untrusted.Line))
}

// infos asks all servers for their descriptions.
func infos(ctx context.Context, cli *amqprpc.Client, c *console, q question) ([]describe.Info, error) {
	return collect(c, discovery.Info(ctx, cli, q.filters()...), func(i describe.Info) int {
		n := len(i.Description)
		for k, v := range i.Metadata {
			n += 50 + len(k) + len(v)
		}
		for _, m := range i.Methods {
			n += 200 + len(m.Doc) + len(m.Request.Schema) + len(m.Request.Example) + len(m.Response.Schema) + len(m.Response.Example)
			for _, e := range m.Errors {
				n += 50 + len(e.Details)
			}
		}
		return n
	})
}

// stats asks all servers for their figures.
func stats(ctx context.Context, cli *amqprpc.Client, c *console, q question) ([]describe.Stats, error) {
	return collect(c, discovery.Stats(ctx, cli, q.filters()...), sizeOfStats)
}

func sizeOfStats(s describe.Stats) (n int) {
	for _, m := range s.Methods {
		n += 200 + 16*(len(m.Handler.Buckets)+len(m.Queued.Buckets)) + 50*len(m.Calls)
		for _, f := range m.Failures {
			n += len(f.Message)
		}
	}
	return n
}

// pings asks all servers who they are.
func pings(ctx context.Context, cli *amqprpc.Client, c *console, q question) ([]describe.Ping, error) {
	return collect(c, discovery.Instances(ctx, cli, q.filters()...), func(p describe.Ping) int {
		n := 0
		for _, m := range p.Methods {
			n += 20 + len(m)
		}
		return n
	})
}

// method finds out what the servers of a queue say about it. If no server describes it, it can
// be called all the same, and the command says that requests are not validated.
func method(ctx context.Context, cli *amqprpc.Client, c *console, q question) (*invoke.Method, error) {
	all, err := infos(ctx, cli, c, q)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		c.note("%s cannot be described, so that requests are not validated: %s", name(q.queue), untrusted.Text(err.Error(), untrusted.Line))
		return invoke.Foreign(q.queue), nil
	}
	found, ok := fleet.Of(all).Method(q.queue)
	if !ok {
		who := "no server"
		if q.instance != "" {
			who = "no server with the ID " + name(q.instance)
		}
		c.note("%s describes %s, so that requests are not validated", who, name(q.queue))
		return invoke.Foreign(q.queue), nil
	}
	if n := len(found.Variants); n > 1 {
		c.note("the servers of %s do not agree about it (%d descriptions): `amqprpc ls` shows how", name(q.queue), n)
	}
	m, err := invoke.Of(found.Best())
	if err != nil {
		return nil, usage(err)
	}
	if err := m.Unchecked(); err != nil && m.Request.Type != "" {
		c.note("requests are not validated: %s", untrusted.Text(err.Error(), untrusted.Line))
	}
	return m, nil
}

// kindNames are the kinds of methods, as people say.
var kindNames = map[string]string{
	describe.KindUnary: "unary", describe.KindServerStream: "server stream",
	describe.KindClientStream: "client stream", describe.KindBidiStream: "bidi stream",
}

// kindName returns what people call a kind.
func kindName(kind string) string {
	if n, ok := kindNames[kind]; ok {
		return n
	}
	return title(kind)
}

// isStream reports whether a server says that a method is a stream.
func isStream(m *invoke.Method) bool { return m.Known() && m.Kind != describe.KindUnary }

// notUnary is the error of a stream that is called like a method with one response.
func notUnary(m *invoke.Method) error {
	return usage(fmt.Errorf("%s is a %s: use `amqprpc stream %s`", name(m.Queue), kindName(m.Kind), name(m.Queue)))
}

// resultJSON is the output of --json for one call.
type resultJSON struct {
	Response json.RawMessage `json:"response,omitempty"`
	Error    *invoke.Failure `json:"error,omitempty"`
	Instance string          `json:"instance,omitempty"`
	Header   amqprpc.Header  `json:"header,omitempty"`
	Timing   *invoke.Timing  `json:"timing,omitempty"`
}

func resultOf(r invoke.Result, err error) resultJSON {
	out := resultJSON{Response: r.Response, Instance: r.Instance, Header: r.Header}
	if r.Timing != (invoke.Timing{}) {
		out.Timing = &r.Timing
	}
	if err != nil {
		out.Error = failureOf(err)
	}
	return out
}
