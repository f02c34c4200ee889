package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

//go:generate go run ./writepage ../../../../docs/cli.md

// pageHead is the beginning of docs/cli.md.
const pageHead = `<!-- Written by go generate in cmd/amqprpc/internal/cli. Change the texts there. -->

# The command amqprpc

The command ` + "`amqprpc`" + ` shows the services behind a broker, and calls their methods. It needs only the address of the
broker.

` + "```sh" + `
cd cmd/amqprpc # in a clone of this repository
go install .
amqprpc --help
` + "```" + `

Names and texts that servers send are not trusted. Control characters in them are shown escaped, and long texts are cut.
Progress is shown only on a terminal. The output has colours only on a terminal, and not if ` + "`NO_COLOR`" + ` is set.

## Which broker

The broker is the first of these that is set:

1. the flag ` + "`--url`" + `, or the flag ` + "`--context`" + ` with the name of a context
2. the environment variable ` + "`AMQP_URL`" + `
3. the current context: see [amqprpc context](#amqprpc-context)
4. ` + "`amqp://guest:guest@localhost:5672/`" + `

Contexts are in the file ` + "`amqprpc/contexts.json`" + ` in the user's configuration folder, on Linux ` + "`~/.config`" + `. Only the user can
read this file. Passwords are never printed.

The user of the broker needs the [permissions](operations.md#permissions) of a client with cancels. Without ` + "`write`" + ` on the exchange
` + "`amqprpc.control`" + `, methods can be called, but not discovered.

## Exit status

| status | meaning |
|---|---|
`

const pageJSON = `
With ` + "`--json`" + `, each command writes JSON. An error is then a JSON object on the last line of the output. Its member ` + "`error`" + ` has
the members ` + "`code`, `message`, `outcome`, `remote`, `details`, `retry_after_ns` and `problems`" + `. [errors.md](errors.md) explains codes
and outcomes.

## Completion

The shells bash, zsh and fish complete the names of live methods, services and contexts. For bash, put this line into ` + "`~/.bashrc`" + `;
` + "`amqprpc completion --help`" + ` has the others:

` + "```sh" + `
source <(amqprpc completion bash)
` + "```" + `
`

// Page returns docs/cli.md, which documents all commands.
func Page() string {
	var b strings.Builder
	b.WriteString(pageHead)
	for _, s := range Statuses {
		fmt.Fprintf(&b, "| %d | %s |\n", s.Status, s.Meaning)
	}
	b.WriteString(pageJSON)
	root := New()
	b.WriteString("\n## Flags of all commands\n\n" + block("text", root.PersistentFlags().FlagUsages()))
	for _, cmd := range root.Commands() {
		if cmd.IsAvailableCommand() && cmd.Name() != "help" && cmd.Name() != "completion" {
			section(&b, cmd, "##")
		}
	}
	return b.String()
}

// section writes a command and the commands below it.
func section(b *strings.Builder, cmd *cobra.Command, level string) {
	fmt.Fprintf(b, "\n%s %s\n\n%s.\n", level, cmd.CommandPath(), cmd.Short)
	if cmd.Long != "" {
		b.WriteString("\n" + cmd.Long + "\n")
	}
	if cmd.Runnable() && !cmd.HasAvailableSubCommands() {
		b.WriteString("\n" + block("text", strings.TrimSuffix(cmd.UseLine(), " [flags]")+"\n\n"+cmd.NonInheritedFlags().FlagUsages()))
	}
	if cmd.Example != "" {
		var lines []string
		for _, l := range strings.Split(cmd.Example, "\n") {
			lines = append(lines, strings.TrimPrefix(l, "  "))
		}
		b.WriteString("\n" + block("sh", strings.Join(lines, "\n")))
	}
	for _, sub := range cmd.Commands() {
		if sub.IsAvailableCommand() {
			section(b, sub, level+"#")
		}
	}
}

func block(lang, text string) string {
	return "```" + lang + "\n" + strings.Trim(text, "\n") + "\n```\n"
}
