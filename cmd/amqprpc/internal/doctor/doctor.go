// Package doctor looks for what keeps calls from working: between this machine, the broker and
// the servers.
package doctor

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/amqprpc/describe"
	"github.com/bbebcec1/amqprpc-go/cmd/amqprpc/internal/fleet"
)

// The results of a check.
const (
	OK      = "ok"
	Warning = "warning" // calls work, and something may surprise
	Problem = "problem" // calls fail
	Unknown = "unknown" // the check could not be made
)

// Finding is the result of a check.
type Finding struct {
	Check  string `json:"check"`
	Result string `json:"result"`
	Text   string `json:"text"`
	Advice string `json:"advice,omitempty"` // what to do
}

// Answers are what the servers have said.
type Answers struct {
	Infos  []describe.Info
	Stats  []Stats
	Broken []string // what is wrong with answers that could not be read
	Err    error    // of the whole question
}

// Stats is a document with the times, by the clock of this machine, between which it was made.
type Stats struct {
	describe.Stats
	Asked, Got time.Time
}

// Dialled says what the error of the connection means. It is nil if there is a connection.
func Dialled(err error) Finding {
	f := Finding{Check: "connection", Result: Problem}
	if err == nil {
		f.Result, f.Text = OK, "the broker can be reached, the user may log in, and a reply queue may be declared and read"
		return f
	}
	f.Text = err.Error()
	switch amqprpc.CodeOf(err) {
	case amqprpc.CodeUnauthenticated:
		f.Advice = "check user and password. RabbitMQ lets the user guest in from its own machine only"
	case amqprpc.CodePermissionDenied:
		f.Advice = "give the user the permissions of a client: configure and read ^amqprpc\\.reply\\., write ^amq\\.default$|^amqprpc\\.control$"
	case amqprpc.CodeNotFound:
		f.Advice = "check the virtual host: it is the path of the URL, and / is written as %2F or left out"
	case amqprpc.CodeFailedPrecondition:
		f.Advice = "check TLS: amqps:// is for a port with TLS, usually 5671, and the certificate must be valid for the host"
	case amqprpc.CodeInvalidArgument:
		f.Advice = "correct the URL"
	default:
		f.Advice = "check that the broker runs, and that host and port are right: it is usually 5672, or 5671 with TLS. 15672 is the management page"
	}
	return f
}

// Discovery says whether servers can be asked, and whether they answer.
func Discovery(a Answers) []Finding {
	f := Finding{Check: "discovery", Result: OK}
	switch {
	case a.Err != nil && amqprpc.CodeOf(a.Err) == amqprpc.CodePermissionDenied:
		f.Result, f.Text = Warning, "the user may not ask servers about themselves: "+a.Err.Error()
		f.Advice = "give the user write on ^amqprpc\\.control$. Calls work without it, and discovery, broadcasts and cancels do not"
	case a.Err != nil:
		f.Result, f.Text, f.Advice = Unknown, a.Err.Error(), "try again"
	case len(a.Infos) == 0:
		f.Result, f.Text = Warning, "no server has answered"
		f.Advice = "check that a server runs and uses this virtual host, has no WithoutControl, and may configure and read ^amqprpc\\.instance\\. and ^amqprpc\\.control$: its log says if not. Other implementations do not answer"
	default:
		f.Text = fmt.Sprintf("instances that have described themselves: %d", len(a.Infos))
	}
	found := []Finding{f}
	for i, b := range a.Broken {
		if i == 5 {
			found = append(found, Finding{Check: "answers", Result: Warning, Text: fmt.Sprintf("%d more instances have answered wrongly", len(a.Broken)-i)})
			break
		}
		found = append(found, Finding{Check: "answers", Result: Warning, Text: b, Advice: "look at this server: it may be overloaded, or no server of amqprpc"})
	}
	return found
}

// maxSkew is how much clocks may differ before a server of default options misjudges deadlines.
const maxSkew = time.Second

// Clocks compares the clocks of servers with ours.
func Clocks(stats []Stats) []Finding {
	var found []Finding
	for _, s := range stats {
		var skew time.Duration // at least so much
		side := "ahead of"
		if s.Time.After(s.Got) {
			skew = s.Time.Sub(s.Got)
		} else if s.Time.Before(s.Asked) {
			skew, side = s.Asked.Sub(s.Time), "behind"
		}
		if skew > maxSkew {
			found = append(found, Finding{
				Check: "clocks", Result: Warning,
				Text:   fmt.Sprintf("the clock of instance %s on %s is %v %s the clock of this machine", s.Instance, s.Host, skew.Round(10*time.Millisecond), side),
				Advice: "let both machines synchronise their clocks (NTP), or raise WithClockSkew: a server that is ahead refuses requests before their deadline",
			})
		}
	}
	if len(found) == 0 && len(stats) > 0 {
		found = append(found, Finding{Check: "clocks", Result: OK, Text: fmt.Sprintf("no clock of a server differs from ours by more than %v", maxSkew)})
	}
	return atMost(found, "clocks")
}

// Differences says where the servers of one queue do not agree, and which versions of the library
// there are.
func Differences(infos []describe.Info) []Finding {
	var found []Finding
	for _, d := range fleet.Of(infos).Differences {
		f := Finding{Check: "versions", Result: Warning, Advice: "finish the deployment if one is under way: until then a call may reach either"}
		f.Text = fmt.Sprintf("the servers of %s differ: %s", names(d.Queues), strings.Join(d.What, ", "))
		found = append(found, f)
	}
	libraries := make(map[string]int)
	for _, i := range infos {
		libraries[cmp.Or(i.Build.Library, "unknown")]++
	}
	if len(libraries) > 1 {
		var counts []string
		for l, n := range libraries {
			counts = append(counts, fmt.Sprintf("%s (%d)", l, n))
		}
		slices.Sort(counts)
		found = append(found, Finding{Check: "library", Result: Warning, Text: "instances have different versions of amqprpc: " + names(counts), Advice: "they work together; bring them to one version when convenient"})
	}
	if len(found) == 0 && len(infos) > 0 {
		found = append(found, Finding{Check: "versions", Result: OK, Text: "the servers of each queue agree about it"})
	}
	return atMost(found, "versions")
}

// Unserved says which queues their own servers do not consume now.
func Unserved(stats []Stats) []Finding {
	var found []Finding
	for _, s := range stats {
		for _, m := range s.Methods {
			if !m.Served {
				found = append(found, Finding{
					Check: "served", Result: Problem,
					Text:   fmt.Sprintf("instance %s has a handler for %s and does not consume the queue", s.Instance, m.Queue),
					Advice: "read the log of this server: it names the reason, such as a missing permission or a queue that was declared otherwise. A server that is about to stop or has all its streams open does not consume either",
				})
			}
		}
	}
	return atMost(found, "served")
}

// names returns the first of some names.
func names(all []string) string {
	if n := len(all) - 5; n > 0 {
		return strings.Join(all[:5], ", ") + fmt.Sprintf(" and %d more", n)
	}
	return strings.Join(all, ", ")
}

// maxFindings bounds the findings of a check.
const maxFindings = 20

func atMost(found []Finding, check string) []Finding {
	if n := len(found) - maxFindings; n > 0 {
		found = append(found[:maxFindings], Finding{Check: check, Result: Warning, Text: fmt.Sprintf("and %d more", n)})
	}
	return found
}

// Blocked says whether the broker accepts messages.
func Blocked(s amqprpc.ClientStatus) []Finding {
	if !s.Connection.Blocked {
		return nil
	}
	return []Finding{{
		Check: "alarm", Result: Problem, Text: "the broker accepts no messages: " + s.Connection.BlockedReason,
		Advice: "give the broker memory or disk space: `rabbitmq-diagnostics alarms` says which is short",
	}}
}

// within is how long a check of the broker may take.
const within = 10 * time.Second

// limited returns a context for the checks of the broker.
func limited(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, within)
}
