// Package connect finds out which broker a command is for, and connects to it.
package connect

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
)

// DefaultURL is the broker if nothing else is said.
const DefaultURL = "amqp://guest:guest@localhost:5672/"

// Names of the flags and of the environment variable.
const (
	FlagURL     = "url"
	FlagContext = "context"
	EnvURL      = "AMQP_URL"
)

// Environment is what the machine says. The zero value is the true one.
type Environment struct {
	Getenv    func(string) string
	ConfigDir func() (string, error)
}

type environmentKey struct{}

// WithEnvironment returns a context for commands in another environment.
func WithEnvironment(ctx context.Context, e Environment) context.Context {
	return context.WithValue(ctx, environmentKey{}, e)
}

// EnvironmentOf returns the environment of a command.
func EnvironmentOf(ctx context.Context) Environment {
	var e Environment
	if ctx != nil {
		e, _ = ctx.Value(environmentKey{}).(Environment)
	}
	if e.Getenv == nil {
		e.Getenv = os.Getenv
	}
	if e.ConfigDir == nil {
		e.ConfigDir = os.UserConfigDir
	}
	return e
}

// AddFlags adds the flags that say which broker is meant.
func AddFlags(root *cobra.Command) {
	root.PersistentFlags().String(FlagURL, "", "the broker, as an AMQP `URI` (default: $"+EnvURL+", the current context, or localhost)")
	root.PersistentFlags().String(FlagContext, "", "the broker, as the `name` of a context (see amqprpc context)")
}

// Target is a broker.
type Target struct {
	URL    string // with the password
	Source string // where the URL is from, for people
}

// String returns the URL without its password.
func (t Target) String() string { return Redacted(t.URL) }

// TargetError is the error of a broker that is named wrongly.
type TargetError struct{ Err error }

// Error returns the reason.
func (e *TargetError) Error() string { return e.Err.Error() }

// Unwrap returns the reason.
func (e *TargetError) Unwrap() error { return e.Err }

// TargetOf returns the broker of a command: that of --url, of --context, of AMQP_URL, of the
// current context, or the default, in this order. The error is a *TargetError.
func TargetOf(cmd *cobra.Command) (Target, error) {
	t, err := targetOf(cmd)
	if err != nil {
		return Target{}, &TargetError{err}
	}
	return t, nil
}

func targetOf(cmd *cobra.Command) (Target, error) {
	e := EnvironmentOf(cmd.Context())
	flag := func(name string) string {
		if f := cmd.Flag(name); f != nil {
			return f.Value.String()
		}
		return ""
	}
	name := flag(FlagContext)
	if u := flag(FlagURL); u != "" {
		if name != "" {
			return Target{}, errors.New("--url and --context name a broker each: give one of them")
		}
		return checked(u, "--url")
	}
	if u := e.Getenv(EnvURL); u != "" && name == "" {
		return checked(u, EnvURL)
	}
	contexts, err := Load(e)
	switch {
	case errors.Is(err, errNoFolder) && name == "":
		contexts = &Contexts{}
	case err != nil:
		return Target{}, err
	}
	if name = cmp.Or(name, contexts.Current); name == "" {
		return Target{URL: DefaultURL, Source: "default"}, nil
	}
	u, err := contexts.url(name)
	if err != nil {
		return Target{}, err
	}
	return checked(u, "context "+name)
}

func checked(u, source string) (Target, error) {
	if _, err := parse(u); err != nil {
		return Target{}, fmt.Errorf("%s: %w", source, err)
	}
	return Target{URL: u, Source: source}, nil
}

// errURL does not have the URL, which may have a password.
var errURL = errors.New("the URL is no AMQP URI: it looks like amqp://user:password@host:5672/vhost, or amqps:// with TLS; characters other than letters and digits in a password are written as %XX")

func parse(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "amqp" && u.Scheme != "amqps" || u.Host == "" && u.Opaque != "" {
		return nil, errURL
	}
	return u, nil
}

// Redacted returns a URL without its password, and without its query, which may name keys.
func Redacted(s string) string {
	u, err := parse(s)
	if err != nil {
		return "?"
	}
	u.RawQuery, u.Fragment = "", ""
	return u.Redacted()
}

// Error is the error of a broker that could not be reached, or that refused the client.
type Error struct {
	Target Target
	Err    error // an *amqprpc.Error
}

// Error names the broker and where its URL is from.
func (e *Error) Error() string {
	return "no connection to " + e.Target.String() + " (" + e.Target.Source + "): " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Dial connects to the broker of a command. The caller closes the client. An *Error says that
// the broker cannot be reached.
func Dial(ctx context.Context, cmd *cobra.Command, opts ...amqprpc.ClientOption) (*amqprpc.Client, error) {
	t, err := TargetOf(cmd)
	if err != nil {
		return nil, err
	}
	return DialTarget(ctx, t, opts...)
}

// dialWithin is how long the commands try to connect. A broker that is there answers sooner.
const dialWithin = 10 * time.Second

// errTries ends the attempts to connect. Whoever waits at a terminal wants to know soon that
// nobody is there.
var errTries = amqprpc.Errorf(amqprpc.CodeUnavailable, "is the broker running, and is this its AMQP port?")

// tries is how often the commands try. A broker that closes the connection in the handshake has
// refused the password, as the third attempt shows.
const tries = 3

// DialTarget connects to a broker, within ten seconds and three attempts.
func DialTarget(ctx context.Context, t Target, opts ...amqprpc.ClientOption) (*amqprpc.Client, error) {
	ctx, stop := context.WithTimeout(ctx, dialWithin)
	defer stop()
	ctx, giveUp := context.WithCancelCause(ctx)
	defer giveUp(nil)
	failed := 0
	// The command shows what goes wrong itself. Its log would be in the way.
	opts = append([]amqprpc.ClientOption{
		amqprpc.WithLogger(nil), amqprpc.WithConnectionName("amqprpc"),
		amqprpc.WithStateCallback(func(s amqprpc.State) {
			if s != amqprpc.StateDisconnected {
				return
			}
			if failed++; failed == tries {
				giveUp(errTries)
			}
		}),
	}, opts...)
	cli, err := amqprpc.Dial(ctx, t.URL, opts...)
	if err != nil {
		return nil, &Error{Target: t, Err: err}
	}
	return cli, nil
}
