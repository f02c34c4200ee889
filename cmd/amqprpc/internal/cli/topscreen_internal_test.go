package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"charm.land/lipgloss/v2"
	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
	"github.com/bbebcec1/amqprpc-go/cmd/amqprpc/internal/connect"
	"github.com/bbebcec1/amqprpc-go/cmd/amqprpc/internal/top"
)

// terminal is the output of a program, which a test reads while the program runs.
type terminal struct {
	mu  sync.Mutex
	all bytes.Buffer
}

func (o *terminal) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.all.Write(p)
}

func (o *terminal) has(text string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return strings.Contains(o.all.String(), text)
}

// The screen shows servers, obeys keys, shows that a server is gone, and ends with q.
func TestTopScreen(t *testing.T) {
	t.Parallel()
	url := amqptest.Start(t).URL()
	stops := make([]context.CancelFunc, 2)
	var served sync.WaitGroup
	t.Cleanup(served.Wait)
	for i := range stops {
		srv := amqprpc.NewServer(url, amqprpc.WithLogger(nil))
		amqprpc.Register(srv, "shop.order", func(context.Context, int) (int, error) { return 1, nil })
		ctx, stop := context.WithCancel(t.Context())
		stops[i] = stop
		served.Go(func() { _ = srv.Serve(ctx) }) // the screen shows how it ends
		<-srv.Ready()
	}
	cli, err := connect.DialTarget(t.Context(), connect.Target{URL: url})
	require.NoError(t, err)
	defer cli.Close()
	require.Eventually(t, func() bool {
		all, err := pings(t.Context(), cli, &console{out: discard{}, err: discard{}}, question{})
		return err == nil && len(all) == 2
	}, 20*time.Second, 10*time.Millisecond, "both servers can be found")
	screen := &topScreen{ctx: t.Context(), watch: &watch{cli: cli, console: &console{out: discard{}, err: discard{}}}, interval: minInterval, sort: "queue", width: 120, height: 30}
	keys, in := io.Pipe()
	out := &terminal{}
	cmd := &cobra.Command{}
	cmd.SetIn(keys)
	cmd.SetOut(out)
	ended := make(chan error, 1)
	go func() { ended <- runScreen(t.Context(), cmd, screen, tea.WithWindowSize(120, 30)) }()
	soon := func(text string) {
		t.Helper()
		require.Eventually(t, func() bool { return out.has(text) }, 20*time.Second, 10*time.Millisecond, text)
	}
	soon("shop.order")
	_, err = in.Write([]byte("s"))
	require.NoError(t, err)
	soon("rate")
	stops[1]()
	soon("1 gone")
	_, err = in.Write([]byte("q"))
	require.NoError(t, err)
	require.NoError(t, <-ended)
	require.NoError(t, in.Close())
	stops[0]()
}

// Whatever the window and the servers are, the lines fit.
func TestTopScreenFits(t *testing.T) {
	t.Parallel()
	s := &topScreen{ctx: t.Context(), sort: "queue", width: 80, height: 24, colour: true}
	require.Contains(t, strings.Join(s.lines(), "\n"), "asking")
	var rows []top.Row
	for i := range 5000 {
		rows = append(rows, top.Row{Queue: fmt.Sprintf("q%04d\x1b[2J", i), Instance: strings.Repeat("界", 50), Service: "s", Depth: -1, Rate: 1e18, LastError: strings.Repeat("x", 500)})
	}
	s.Update(answerMsg{rows: rows})
	for _, size := range [][2]int{{80, 24}, {10, 3}, {1, 1}, {0, 0}, {300, 100}} {
		s.Update(tea.WindowSizeMsg{Width: size[0], Height: size[1]})
		for _, key := range []string{"i", "down", "pgdown", "up", "pgup", "s", "left", "p", "home", "nonsense"} {
			s.key(key)
			lines := s.lines()
			require.LessOrEqual(t, len(lines), max(size[1], 1))
			for _, l := range lines {
				require.LessOrEqual(t, lipgloss.Width(l), max(size[0], 1))
				require.NotContains(t, l, "\x1b[2J")
			}
		}
	}
	s.Update(tea.WindowSizeMsg{Width: 80, Height: 24})
	s.Update(answerMsg{err: errors.New("broken \x1b[2J")})
	require.Contains(t, s.lines()[1], `broken \x1b[2J`)
	require.NotNil(t, s.key("q"))
	s.rows, s.trouble = nil, nil
	require.Contains(t, strings.Join(s.lines(), "\n"), "no server has answered")
}
