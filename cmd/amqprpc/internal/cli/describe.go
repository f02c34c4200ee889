package cli

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/bbebcec1/amqprpc-go/amqprpc/describe"
	"github.com/bbebcec1/amqprpc-go/cmd/amqprpc/internal/fleet"
	"github.com/bbebcec1/amqprpc-go/cmd/amqprpc/internal/template"
	"github.com/bbebcec1/amqprpc-go/cmd/amqprpc/internal/untrusted"
)

func describeCommand() *cobra.Command {
	var asTemplate bool
	cmd := &cobra.Command{
		Use:   "describe METHOD",
		Short: "Show what a method takes and gives",
		Long: `describe shows what the servers of the queue METHOD say about it: its kind, its documentation, the
schemas and examples of its messages, its errors and its limits.

With --template, it prints only a request to fill in: the example of the method, or one made of the
schema.`,
		Example: `  amqprpc describe orders.place
  amqprpc describe orders.place --template > order.json
  amqprpc describe orders.place --json | jq .variants[0].method.request.schema`,
		Args: methodArgs(0), ValidArgsFunction: completeMethods(1),
		RunE: func(cmd *cobra.Command, args []string) error { return runDescribe(cmd, args[0], asTemplate) },
	}
	cmd.Flags().BoolVar(&asTemplate, "template", false, "print a request to fill in, and nothing else")
	return cmd
}

// describeJSON is the output of describe --json.
type describeJSON struct {
	Queue    string          `json:"queue"`
	Variants []variantJSON   `json:"variants"` // descriptions of which some instances share each; one, if all agree
	Template json.RawMessage `json:"template"`
}

type variantJSON struct {
	Method    describe.Method `json:"method"`
	Instances []string        `json:"instances"`
}

func runDescribe(cmd *cobra.Command, queue string, asTemplate bool) error {
	c, q := consoleOf(cmd), questionOf(cmd)
	q.queue = queue
	all, err := c.dialInfos(cmd, q)
	if err != nil {
		return err
	}
	m, ok := fleet.Of(all).Method(queue)
	if !ok {
		return &statusError{statusNotExecuted, fmt.Errorf("no server describes %s; if it is a queue of another implementation, `amqprpc call` calls it all the same", name(queue))}
	}
	example, known := template.Of(m.Best().Request)
	switch {
	case asTemplate:
		if !known {
			c.note("the servers of %s give neither an example nor a schema", name(queue))
		}
		c.printf("%s\n", indented(example, ""))
	case c.asJSON:
		return c.json(describeJSONOf(m, example))
	default:
		for i, v := range m.Variants {
			if len(m.Variants) > 1 {
				c.printf("%s\n", c.alarming(fmt.Sprintf("description %d of %d, by %s", i+1, len(m.Variants), strings.Join(boundedIDs(v.Instances), ", "))))
			}
			c.method(v)
		}
	}
	return c.written
}

func describeJSONOf(m fleet.Method, example json.RawMessage) describeJSON {
	out := describeJSON{Queue: m.Queue, Template: example}
	for _, v := range m.Variants {
		j := variantJSON{Method: v.Method}
		for _, id := range v.Instances {
			j.Instances = append(j.Instances, id.Instance)
		}
		out.Variants = append(out.Variants, j)
	}
	return out
}

func boundedIDs(ids []describe.Identity) []string {
	var names []string
	for _, id := range ids {
		names = append(names, id.Instance)
	}
	return bounded(names)
}

// maxLines is how many lines of a documentation, and how many errors, are shown.
const maxLines = 100

// method shows a description.
func (c *console) method(v fleet.Variant) {
	m := v.Method
	c.printf("%s  %s  %s\n", c.bold(name(m.Queue)), kindName(m.Kind), signature(m))
	if m.Doc != "" {
		for i, line := range strings.Split(m.Doc, "\n") {
			if i == maxLines {
				c.printf("  …\n")
				break
			}
			c.printf("  %s\n", untrusted.Text(line, untrusted.Line))
		}
	}
	c.printf("\n")
	facts := &table{head: []string{"", ""}}
	facts.rows = append(facts.rows, factsOf(m, len(v.Instances))...)
	for _, line := range facts.lines("  ")[1:] {
		c.printf("%s\n", line)
	}
	c.message("request", m.Request)
	c.message("response", m.Response)
	for i, e := range m.Errors {
		if i == maxLines {
			c.printf("\n… and %d more errors\n", len(m.Errors)-i)
			break
		}
		c.printf("\n%s\n", c.bold("error "+title(e.Code)))
		if len(e.Details) > 0 {
			c.printf("%s\n", indented(e.Details, "  "))
		}
	}
}

// factsOf returns the properties of a method that have a value.
func factsOf(m describe.Method, instances int) (rows [][]string) {
	add := func(label, format string, args ...any) {
		rows = append(rows, []string{label, fmt.Sprintf(format, args...)})
	}
	add("instances", "%d", instances)
	add("codecs", "%s", strings.Join(bounded(m.Codecs), ", "))
	add("delivery", "%s", title(strings.ReplaceAll(m.Delivery, "_", " ")))
	if m.Broadcast {
		add("broadcast", "yes: `amqprpc all` asks every instance")
	}
	if m.MaxStreams > 0 {
		add("streams", "%d open at once on an instance", m.MaxStreams)
	}
	if m.Concurrency > 0 {
		add("handlers", "%d at once on an instance", m.Concurrency)
	}
	if m.MaxDeliveries > 0 {
		add("deliveries", "%d at most", m.MaxDeliveries)
	}
	if m.TimeoutMS > 0 {
		add("timeout", "%v for a handler", time.Duration(min(m.TimeoutMS, math.MaxInt64/1_000_000))*time.Millisecond)
	}
	return rows
}

func (c *console) message(label string, m describe.Message) {
	if m.Type == "" && len(m.Schema) == 0 {
		return
	}
	c.printf("\n%s %s\n", c.bold(label), typeName(m.Type))
	if len(m.Schema) > 0 {
		c.printf("%s\n", indented(m.Schema, "  "))
	}
	if len(m.Example) > 0 {
		c.printf("  %s\n%s\n", c.faint("example"), indented(m.Example, "  "))
	}
}
