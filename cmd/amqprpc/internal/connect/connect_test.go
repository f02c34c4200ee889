package connect_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/cmd/amqprpc/internal/connect"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// machine is an environment of a test.
func machine(t *testing.T, env map[string]string) connect.Environment {
	dir := t.TempDir()
	return connect.Environment{
		Getenv:    func(name string) string { return env[name] },
		ConfigDir: func() (string, error) { return dir, nil },
	}
}

// target returns the broker of a command with these arguments.
func target(t *testing.T, e connect.Environment, args ...string) (got connect.Target, err error) {
	t.Helper()
	cmd := &cobra.Command{Use: "x", SilenceErrors: true, SilenceUsage: true, RunE: func(cmd *cobra.Command, _ []string) error {
		got, err = connect.TargetOf(cmd)
		return nil
	}}
	connect.AddFlags(cmd)
	cmd.SetArgs(args)
	require.NoError(t, cmd.ExecuteContext(connect.WithEnvironment(t.Context(), e)))
	return got, err
}

func TestWhichBroker(t *testing.T) {
	t.Parallel()
	e := machine(t, map[string]string{"AMQP_URL": "amqp://env/"})
	bare := machine(t, nil)
	for _, env := range []connect.Environment{e, bare} {
		c, err := connect.Load(env)
		require.NoError(t, err)
		require.NoError(t, c.Add("first", "amqp://first/"))
		require.NoError(t, c.Add("second", "amqp://second/"))
		require.NoError(t, c.Save())
	}
	for _, tc := range []struct {
		env  connect.Environment
		args []string
		want string
	}{
		{e, []string{"--url", "amqp://flag/"}, "amqp://flag/"},
		{e, []string{"--context", "second"}, "amqp://second/"},
		{e, nil, "amqp://env/"},
		{bare, nil, "amqp://first/"},
		{machine(t, nil), nil, connect.DefaultURL},
	} {
		got, err := target(t, tc.env, tc.args...)
		require.NoError(t, err)
		require.Equal(t, tc.want, got.URL)
		require.NotEmpty(t, got.Source)
	}
	_, err := target(t, e, "--url", "amqp://flag/", "--context", "second")
	require.ErrorContains(t, err, "one of them")
	_, err = target(t, e, "--context", "third")
	require.ErrorContains(t, err, `"third"`)
}

// Passwords are in no error.
func TestPasswordsStaySecret(t *testing.T) {
	t.Parallel()
	e := machine(t, nil)
	for _, url := range []string{"amqp://u:se%cret@h/", "http://u:secret@h/", "u:secret@h", "amqp://u:secret@h:port/", "amqp:u:secret"} {
		_, err := target(t, e, "--url", url)
		require.Error(t, err, url)
		require.NotContains(t, err.Error(), "secret")
		require.NotContains(t, err.Error(), "cret@")
		require.NotContains(t, connect.Redacted(url), "secret")
	}
	require.Equal(t, "amqps://u:xxxxx@h:5671/v%2Fx", connect.Redacted("amqps://u:secret@h:5671/v%2Fx?keyfile=/k"))

	ctx, stop := context.WithTimeout(t.Context(), 10*time.Second)
	defer stop()
	cmd := &cobra.Command{}
	connect.AddFlags(cmd)
	require.NoError(t, cmd.ParseFlags([]string{"--url", "amqp://u:secret@127.0.0.1:1/"}))
	_, err := connect.Dial(ctx, cmd)
	require.ErrorIs(t, err, amqprpc.CodeUnavailable)
	require.NoError(t, ctx.Err(), "it gives up soon")
	require.NotContains(t, err.Error(), "secret")
	require.Contains(t, err.Error(), "--url")
	_, ok := errors.AsType[*connect.Error](err)
	require.True(t, ok)
}

func TestContexts(t *testing.T) {
	t.Parallel()
	e := machine(t, nil)
	c, err := connect.Load(e)
	require.NoError(t, err)
	for _, name := range []string{"", "-a", "a b", "../a", "a\n", string(make([]byte, 65))} {
		require.Error(t, c.Add(name, "amqp://h/"), "%q", name)
	}
	require.Error(t, c.Add("a", "http://h/"))
	require.NoError(t, c.Add("a", "amqp://u:secret@h/"))
	require.NoError(t, c.Add("b", "amqps://h/"))
	require.Equal(t, "a", c.Current)
	require.Error(t, c.Use("c"))
	require.NoError(t, c.Use("b"))
	require.NoError(t, c.Save())

	info, err := os.Stat(c.Path())
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	files, err := os.ReadDir(filepath.Dir(c.Path()))
	require.NoError(t, err)
	require.Len(t, files, 1, "no temporary file is left")

	c, err = connect.Load(e)
	require.NoError(t, err)
	require.Equal(t, "b", c.Current)
	require.Len(t, c.URLs, 2)
	require.Error(t, c.Remove("c"))
	require.NoError(t, c.Remove("b"))
	require.Empty(t, c.Current)

	require.NoError(t, os.WriteFile(c.Path(), []byte("{"), 0o600))
	_, err = connect.Load(e)
	require.ErrorContains(t, err, c.Path())
	_, err = target(t, e)
	require.ErrorContains(t, err, c.Path(), "localhost is not what the user means")
	homeless := connect.Environment{Getenv: e.Getenv, ConfigDir: func() (string, error) { return "", errors.New("no $HOME") }}
	got, err := target(t, homeless)
	require.NoError(t, err)
	require.Equal(t, connect.DefaultURL, got.URL)
	_, err = target(t, homeless, "--context", "a")
	require.ErrorContains(t, err, "no $HOME")
	require.NoError(t, os.WriteFile(c.Path(), []byte(`{"contexts":null}`), 0o600))
	c, err = connect.Load(e)
	require.NoError(t, err)
	require.NoError(t, c.Add("a", "amqp://h/"))
}
