package web

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/cmd/amqprpc/internal/testbroker"
	"github.com/bbebcec1/amqprpc-go/cmd/amqprpc/internal/testchromium"
)

// panels opens streams of a queue without the page around them.
const panels = `(async (queue, n) => {
	const { StreamPanel } = await import('/js/stream.js');
	const request = { ready: () => '1', mark() {} };
	window.panels = Array.from({ length: n }, () => new StreamPanel({ queue, kind: 'server_stream', codecs: ['application/json'], request: {} }, request, () => ({})));
	return true;
})`

// A browser has six connections to a page. The page refuses a fifth stream with a sentence, so
// that everything else goes on.
func TestManyStreamsInTheBrowser(t *testing.T) {
	t.Parallel()
	queue := testbroker.Queue(t, "")
	s := start(t, func(srv *amqprpc.Server) {
		amqprpc.RegisterServerStream(srv, queue, func(ctx context.Context, _ int, _ *amqprpc.Sender[string]) error {
			<-ctx.Done()
			return ctx.Err()
		})
	})
	w := testchromium.Open(t, s.URL+"/icon.svg", 1280, 900)
	testchromium.Eval[bool](w, panels+"("+quote(t, queue)+", 7)")
	testchromium.Eval[bool](w, "panels.slice(0, 4).forEach((p) => p.start()), true")
	w.Until("panels.slice(0, 4).every((p) => p.stream)")
	refused := testchromium.Eval[string](w, "Promise.all(panels.slice(4).map((p) => p.start())).then(() => panels.slice(4).map((p) => p.end.textContent).join('|'))")
	require.Equal(t, 3, strings.Count(refused, "this browser has 4 calls and streams open"), refused)
	testchromium.Eval[bool](w, "panels[0].setPaused(true).then(() => panels[0].paused)")
	w.Until("panels[0].paused")
	testchromium.Eval[bool](w, "panels[1].stop(), true")
	w.Until("panels[6].stream || (panels[6].abort || panels[6].start(), false)") // as soon as the server has noticed the end
	for _, fault := range w.Forget() {
		require.Regexp(t, "404|429", fault)
	}
	testchromium.Eval[bool](w, "panels.forEach((p) => p.leave()), true")
}

// A tab that nobody sees draws nothing. It keeps no more of what comes than one that draws.
func TestHiddenTabKeepsLittle(t *testing.T) {
	t.Parallel()
	const messages, size = 40, 200_000
	queue := testbroker.Queue(t, "")
	s := start(t, func(srv *amqprpc.Server) {
		amqprpc.RegisterServerStream(srv, queue, func(_ context.Context, _ int, out *amqprpc.Sender[string]) error {
			for range messages {
				if err := out.Send(strings.Repeat("x", size)); err != nil {
					return err
				}
			}
			return nil
		})
	})
	w := testchromium.Open(t, s.URL+"/icon.svg", 1280, 900)
	testchromium.Eval[bool](w, panels+"("+quote(t, queue)+", 1)")
	most := testchromium.Eval[int](w, `(async (p) => {
		window.requestAnimationFrame = () => 1; // as in a hidden tab
		const take = p.take.bind(p);
		let most = 0;
		p.take = (event) => {
			take(event);
			most = Math.max(most, p.queue.reduce((n, e) => n + e.message.length, 0));
		};
		await p.start();
		return most;
	})(panels[0])`)
	require.Positive(t, most)
	require.LessOrEqual(t, most, 1_000_000)
	require.Equal(t, messages, testchromium.Eval[int](w, "panels[0].received"))
	require.LessOrEqual(t, testchromium.Eval[int](w, "panels[0].list.children.length"), 1_000_000/size)
	for _, fault := range w.Forget() {
		require.Contains(t, fault, "404", "the icon of a tab without the page")
	}
}
