package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/cmd/amqprpc/internal/connect"
	"github.com/bbebcec1/amqprpc-go/cmd/amqprpc/internal/untrusted"
)

// console is where a command writes. Whatever comes from other processes goes through package
// untrusted first.
type console struct {
	out, err io.Writer
	asJSON   bool
	colour   bool // out shows colours
	outTerm  bool // out is a terminal
	errTerm  bool // err is a terminal
	written  error
	broken   *[]string // what is wrong with answers; nil notes it
}

func consoleOf(cmd *cobra.Command) *console {
	c := &console{out: cmd.OutOrStdout(), err: cmd.ErrOrStderr()}
	if f := cmd.Flag("json"); f != nil {
		c.asJSON = f.Value.String() == "true"
	}
	getenv := connect.EnvironmentOf(cmd.Context()).Getenv
	c.outTerm, c.errTerm = isTerminal(c.out), isTerminal(c.err)
	c.colour = c.outTerm && getenv("NO_COLOR") == "" && getenv("TERM") != "dumb"
	return c
}

func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// printf writes to the output.
func (c *console) printf(format string, args ...any) {
	if _, err := fmt.Fprintf(c.out, format, args...); err != nil && c.written == nil {
		c.written = fmt.Errorf("cannot write the output: %w", err)
	}
}

// note writes a remark for people, which is no part of the output.
func (c *console) note(format string, args ...any) {
	fmt.Fprintf(c.err, "amqprpc: "+format+"\n", args...)
}

// json writes a value as JSON on one line, or on several if a person reads it.
func (c *console) json(v any) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return err
	}
	c.raw(b.Bytes())
	return c.written
}

// line writes a value as JSON on one line.
func (c *console) line(v any) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return err
	}
	c.printf("%s", untrusted.JSON(b.Bytes()))
	return c.written
}

// raw writes a JSON text on one line, or on several if a person reads it.
func (c *console) raw(text []byte) {
	text = bytes.TrimSpace(text)
	var b bytes.Buffer
	if c.outTerm && json.Indent(&b, text, "", "  ") == nil {
		text = b.Bytes()
	}
	c.printf("%s\n", untrusted.JSON(text))
}

// maxShownJSON is the largest JSON text, in bytes, that is shown among others.
const maxShownJSON = 64 << 10

// indented returns a JSON text on several lines, each behind a prefix.
func indented(text []byte, prefix string) string {
	if len(text) > maxShownJSON {
		return fmt.Sprintf("%s… %d bytes of JSON: --json shows them", prefix, len(text))
	}
	var b bytes.Buffer
	if json.Indent(&b, text, prefix, "  ") != nil {
		return prefix + untrusted.Text(string(text), untrusted.Line)
	}
	return prefix + string(untrusted.JSON(b.Bytes()))
}

// bold returns text in bold where there are colours.
func (c *console) bold(text string) string { return c.styled("1", text) }

// faint returns text in a weaker colour where there are colours.
func (c *console) faint(text string) string { return c.styled("2", text) }

// alarming returns text in red where there are colours.
func (c *console) alarming(text string) string { return c.styled("31", text) }

// good returns text in green where there are colours.
func (c *console) good(text string) string { return c.styled("32", text) }

func (c *console) styled(code, text string) string {
	if !c.colour {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// progress shows what takes long, on a terminal only. The text replaces the one before; "" clears
// it.
func (c *console) progress(format string, args ...any) {
	if c.errTerm {
		fmt.Fprint(c.err, "\r\x1b[K"+fmt.Sprintf(format, args...))
	}
}

// dial connects to the broker of a command. A broker that does not answer takes ten seconds.
func (c *console) dial(cmd *cobra.Command) (*amqprpc.Client, error) {
	c.progress("connecting …")
	defer c.progress("")
	return connect.Dial(cmd.Context(), cmd)
}

// name returns a name of another process for the output.
func name(s string) string { return untrusted.Text(s, untrusted.Name) }

// title returns a text of another process for a column.
func title(s string) string { return untrusted.Text(s, untrusted.Title) }

// plural returns "1 instance", "2 instances".
func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	if strings.HasSuffix(noun, "y") {
		return fmt.Sprintf("%d %sies", n, strings.TrimSuffix(noun, "y"))
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
