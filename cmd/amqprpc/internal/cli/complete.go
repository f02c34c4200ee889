package cli

import (
	"context"
	"io"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/bbebcec1/amqprpc-go/cmd/amqprpc/internal/connect"
	"github.com/bbebcec1/amqprpc-go/cmd/amqprpc/internal/fleet"
)

// completeWithin is how long a completion may take: a person waits for it.
const completeWithin = 2 * time.Second

// completable are the names that a shell gets. Others could be code for the shell.
var completable = regexp.MustCompile(`^[A-Za-z0-9_./:@-]{1,255}$`)

// completeMethods completes the first n arguments with the queues of live methods.
func completeMethods(n int) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) >= n {
			return nil, cobra.ShellCompDirectiveDefault // files, for @file
		}
		var all []cobra.Completion
		for _, m := range liveFleet(cmd).Methods {
			if completable.MatchString(m.Queue) {
				all = append(all, cobra.CompletionWithDesc(m.Queue, title(strings.TrimSuffix(kindName(m.Best().Kind)+": "+firstLine(m.Best().Doc), ": "))))
			}
		}
		return all, cobra.ShellCompDirectiveNoFileComp
	}
}

// completeServices completes one argument with the names of live services.
func completeServices(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	var all []cobra.Completion
	if len(args) == 0 {
		for _, s := range liveFleet(cmd).Services {
			if completable.MatchString(s.Name) {
				all = append(all, cobra.CompletionWithDesc(s.Name, title(s.Description)))
			}
		}
	}
	return all, cobra.ShellCompDirectiveNoFileComp
}

// liveFleet asks all servers, and returns nothing if that fails: a completion has nobody to tell.
func liveFleet(cmd *cobra.Command) fleet.Fleet {
	parent := cmd.Context()
	if parent == nil {
		parent = context.Background()
	}
	ctx, stop := context.WithTimeout(parent, completeWithin)
	defer stop()
	cli, err := connect.Dial(ctx, cmd)
	if err != nil {
		return fleet.Fleet{}
	}
	defer cli.Close()
	all, _ := infos(ctx, cli, &console{out: io.Discard, err: io.Discard}, questionOf(cmd)) // what came is of use
	return fleet.Of(all)
}
