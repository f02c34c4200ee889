package cli

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/bbebcec1/amqprpc-go/amqprpc/describe"
	"github.com/bbebcec1/amqprpc-go/cmd/amqprpc/internal/fleet"
	"github.com/bbebcec1/amqprpc-go/cmd/amqprpc/internal/untrusted"
)

func lsCommand() *cobra.Command {
	var instances bool
	cmd := &cobra.Command{
		Use:   "ls [SERVICE]",
		Short: "List services and their methods",
		Long: `ls asks all servers, or those of one service, to describe themselves. It lists the services and their
methods. It also shows where the servers of one queue differ in their version, in a schema or in
another part that callers depend on.

Servers of other implementations, and those with WithoutControl, do not answer.`,
		Example: `  amqprpc ls
  amqprpc ls inventory --instances
  amqprpc ls --json | jq -r '.instances[].methods[].queue'`,
		Args: cobra.MaximumNArgs(1), ValidArgsFunction: completeServices,
		RunE: func(cmd *cobra.Command, args []string) error {
			q := questionOf(cmd)
			if len(args) > 0 {
				q.service = args[0]
			}
			return runLs(cmd, q, instances)
		},
	}
	cmd.Flags().BoolVarP(&instances, "instances", "i", false, "also list the instances of each service")
	return cmd
}

// lsJSON is the output of ls --json.
type lsJSON struct {
	Instances   []describe.Info    `json:"instances"`
	Differences []fleet.Difference `json:"differences"`
}

func runLs(cmd *cobra.Command, q question, instances bool) error {
	c := consoleOf(cmd)
	all, err := c.dialInfos(cmd, q)
	if err != nil {
		return err
	}
	f := fleet.Of(all)
	if c.asJSON {
		if err := c.json(lsJSON{Instances: append([]describe.Info{}, all...), Differences: append([]fleet.Difference{}, f.Differences...)}); err != nil {
			return err
		}
	}
	if len(all) == 0 {
		return nobody(q)
	}
	if c.asJSON {
		return nil
	}
	for i, s := range f.Services {
		if i > 0 {
			c.printf("\n")
		}
		c.service(s, instances)
	}
	c.differences(f.Differences)
	return c.written
}

// nobody is the error of a question that no server has answered.
func nobody(q question) error {
	asked := "no server has described itself"
	switch {
	case q.instance != "":
		asked = fmt.Sprintf("no server %s has answered", name(q.instance))
	case q.service != "":
		asked = fmt.Sprintf("no server of the service %s has answered", name(q.service))
	}
	return &statusError{statusNotExecuted, errors.New(asked + "; `amqprpc doctor` looks for the reason")}
}

func (c *console) service(s fleet.Service, instances bool) {
	head := c.bold(name(s.Name))
	if versions := strings.TrimSpace(strings.Join(bounded(s.Versions), ", ")); versions != "" {
		head += " " + versions
	}
	head += c.faint(" · " + plural(len(s.Instances), "instance"))
	if s.Description != "" {
		head += c.faint(" · ") + untrusted.Text(s.Description, untrusted.Title)
	}
	c.printf("%s\n", head)
	t := &table{head: []string{"METHOD", "KIND", "REQUEST → RESPONSE", "INSTANCES", "DOC"}, right: map[int]bool{3: true}}
	for i, m := range s.Methods {
		if i == maxRows {
			t.add(fmt.Sprintf("… and %d more; --json has them all", len(s.Methods)-i), "", "", "", "")
			break
		}
		best := m.Best()
		t.add(name(m.Queue), kindName(best.Kind), signature(best), strconv.Itoa(m.Instances()), untrusted.Text(firstLine(best.Doc), untrusted.Title))
	}
	t.print(c, "  ")
	if !instances {
		return
	}
	c.printf("\n")
	t = &table{head: []string{"INSTANCE", "SERVICE", "VERSION", "HOST", "PID", "UP", "LIBRARY"}, right: map[int]bool{4: true, 5: true}}
	for i, info := range s.Instances {
		if i == maxRows {
			t.add(fmt.Sprintf("… and %d more", len(s.Instances)-i), "", "", "", "", "", "")
			break
		}
		t.add(identityCells(info.Identity, title(info.Build.Library))...)
	}
	t.print(c, "  ")
}

// maxRows is how many methods and how many instances of a service are shown.
const maxRows = 1000

// maxShown is how many names are shown one by one.
const maxShown = 5

// bounded returns names for the output, and how many more there are.
func bounded(names []string) []string {
	var out []string
	for i, n := range names {
		if i == maxShown {
			return append(out, fmt.Sprintf("and %d more", len(names)-i))
		}
		out = append(out, title(n))
	}
	return out
}

// firstLine returns the first sentence or line of a documentation.
func firstLine(doc string) string {
	first, _, _ := strings.Cut(strings.TrimSpace(doc), "\n")
	return first
}

// signature shows the types of a method. The dots mark what is a stream.
func signature(m describe.Method) string {
	request, response := typeName(m.Request.Type), typeName(m.Response.Type)
	if m.Kind == describe.KindClientStream || m.Kind == describe.KindBidiStream {
		request += "…"
	}
	if m.Kind == describe.KindServerStream || m.Kind == describe.KindBidiStream {
		response += "…"
	}
	return request + " → " + response
}

func typeName(goType string) string {
	if goType == "" || goType == "struct {}" {
		return "()"
	}
	return untrusted.Text(goType, 40)
}

// differences shows where the servers of one queue do not agree.
func (c *console) differences(all []fleet.Difference) {
	for i, d := range all {
		if i == 0 {
			c.printf("\n%s\n", c.bold("DIFFERENCES between the servers of one queue"))
		}
		if i == 100 {
			c.printf("  … and %d more; --json has them all\n", len(all)-i)
			return
		}
		c.printf("  %s: %s\n", c.alarming(strings.Join(bounded(d.Queues), ", ")), strings.Join(d.What, ", "))
		for j, g := range d.Groups {
			if j == 20 {
				c.printf("    … and %d more groups\n", len(d.Groups)-j)
				break
			}
			c.printf("    %s  description %d  %s\n", title(strings.TrimSpace(g.Service+" "+g.Version)), g.Variant, strings.Join(bounded(g.Instances), ", "))
		}
	}
}
