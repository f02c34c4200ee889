package web

import (
	"context"
	"encoding/json"
	"iter"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/amqprpc/describe"
	"github.com/bbebcec1/amqprpc-go/cmd/amqprpc/internal/testbroker"
	"github.com/bbebcec1/amqprpc-go/cmd/amqprpc/internal/testchromium"
)

// oddInfo has numbers that JavaScript cannot hold, words that its objects know, and a schema
// with texts that are none, wrong references, and choices that cost much.
func oddInfo() describe.Info {
	schema := `{"type":"object","required":["cheap"],"properties":{` +
		`"cheap":{"type":"string"},"lost":{"$ref":"#/%"},"many":{"type":"array","minItems":1.0},` +
		`"odd":{"description":{"toString":1,"valueOf":1},"title":1.0,"format":{"toString":1,"valueOf":1},"contentEncoding":1.0,"type":"string"},` +
		`"costly":{"oneOf":[` + strings.Repeat(`{"$ref":"#/$defs/wide"},`, 2000) + `{}]}},` +
		`"$defs":{"wide":{"allOf":[` + strings.Repeat(`{"$ref":"#/$defs/wide"},`, 200) + `{}]}}}`
	m := describe.Method{
		Queue: "odd", Kind: "constructor", Delivery: "constructor", Doc: "An odd one.", Codecs: []string{"application/json"},
		Concurrency: math.MaxInt64, Prefetch: math.MaxInt64, MaxStreams: math.MaxInt64, MaxDeliveries: math.MaxInt64, TimeoutMS: math.MaxInt64,
		Request: describe.Message{Schema: json.RawMessage(schema)},
	}
	long := methodOf("--long", `{}`)
	long.Request = describe.Message{
		Schema:  json.RawMessage(`{"type":"array","items":{"type":"array","items":{"type":"integer"}}}`),
		Example: json.RawMessage("[" + strings.Repeat("["+strings.Repeat("1,", 99)+"1],", 99) + "[\"\u202e\"]]"),
	}
	i := info("a", "odd", "1", m, long)
	i.PID = math.MaxInt64
	return i
}

// Servers say numbers and words that would break a careless script. The page shows them, and
// everything else stays.
func TestOddInstancesInTheBrowser(t *testing.T) {
	t.Parallel()
	s := serve(t, newPage(Config{Client: dial(t, testbroker.URL(t, node))}, source{
		infos: func(context.Context) iter.Seq2[describe.Info, error] { return all(oddInfo()) },
		stats: func(context.Context) iter.Seq2[describe.Stats, error] {
			most := statsOf("a", math.MaxInt64, math.MaxInt64, 1)
			depth := math.MaxInt64
			m := &most.Methods[0]
			m.Queue, m.Depth, m.Waiting, m.InFlight = "odd", &depth, math.MaxInt64, math.MaxInt64
			other := statsOf("b", math.MinInt64, 1, 1)
			other.Methods[0].Queue, other.Methods[0].Waiting = "odd", math.MaxInt64
			return all(most, other)
		},
	}))
	w := testchromium.Open(t, s.URL+"/#/m/%", 1280, 900) // an address that is cut
	w.Sees("No server describes this queue.")
	visit := func(queue string) { testchromium.Eval[bool](w, "location.hash = '#/m/"+queue+"', true") }
	testchromium.Eval[bool](w, "location.hash = '#/', true")
	w.Sees("What runs")
	w.Until("[...document.querySelectorAll('td.num')].some((e) => e.textContent !== '')")
	visit("odd")
	w.Sees("An odd one.")
	w.Until("document.querySelector('.failures')?.innerText.includes('1,099,511,627,777')")
	for _, field := range []string{"lost", "many", "odd", "costly"} {
		w.Click("button", "+ "+field)
		w.Until("!document.querySelector('.chips')?.innerText.includes('+ " + field + "')")
	}
	require.Less(t, testchromium.Eval[float64](w, "(() => { const t = performance.now(); const e = document.querySelector('textarea.grow'); e.dispatchEvent(new Event('input')); return performance.now() - t; })()"), 3000.0, "milliseconds to draw it")

	visit("--long")
	w.Until("document.querySelector('.top-group')")
	require.Less(t, testchromium.Eval[int](w, "document.querySelectorAll('.form .field').length"), 1300)
	require.Contains(t, testchromium.Eval[string](w, "document.querySelector('[role=tabpanel]').textContent"), `amqprpc call -- --long '[[1,`)
	require.Contains(t, testchromium.Eval[string](w, "document.querySelector('[role=tabpanel]').textContent"), `["\u202e"]`)
	visit("evil%1B[201~%0Aid%27%20x")
	w.Until(`document.querySelector('[role=tabpanel]').textContent === "amqprpc call $'evil\\u001b[201~\\nid\\' x' '{}'"`)
}

// The page of a method keeps the response while its service is away, and says that it is.
func TestServiceVanishesInTheBrowser(t *testing.T) {
	t.Parallel()
	url, queue := testbroker.URL(t, node), testbroker.Queue(t, "")
	serveOne := func() (stop func()) {
		srv := amqprpc.NewServer(url, amqprpc.WithLogger(nil), amqprpc.WithService(amqprpc.Service{Name: "halves"}))
		amqprpc.Register(srv, queue, half, amqprpc.WithExample(8))
		ctx, cancel := context.WithCancel(context.Background())
		served := make(chan error, 1)
		go func() { served <- srv.Serve(ctx) }()
		<-srv.Ready()
		return func() {
			cancel()
			require.NoError(t, <-served)
		}
	}
	stop := serveOne()
	s := serve(t, New(Config{Client: dial(t, url)}))
	w := testchromium.Open(t, s.URL+"/#/m/"+queue, 1280, 900)
	w.Click("button", "Call")
	w.Until("document.querySelector('.timing')")
	stop()
	w.Sees("No server describes this method at the moment.")
	require.True(t, testchromium.Eval[bool](w, "document.querySelector('.timing') !== null"), "the response stays")
	stop = serveOne()
	w.Until("!document.body.innerText.includes('No server describes this method')")
	require.True(t, testchromium.Eval[bool](w, "document.querySelector('.timing') !== null"), "the response stays")
	stop()
}

// An answer that comes when its stream has ended does not hide why it has ended. An answer
// that cannot be read ends its handler.
func TestLateAnswersInTheBrowser(t *testing.T) {
	t.Parallel()
	queue, deepQueue := testbroker.Queue(t, "chat"), testbroker.Queue(t, "deep")
	ended := make(chan struct{})
	s := start(t, func(srv *amqprpc.Server) {
		amqprpc.RegisterBidiStream(srv, queue, func(_ context.Context, in *amqprpc.Receiver[string], _ *amqprpc.Sender[string]) error {
			_, err := in.Recv()
			if err != nil {
				return err
			}
			return amqprpc.Errorf(amqprpc.CodeAborted, "left")
		})
		amqprpc.RegisterServerStream(srv, deepQueue, func(ctx context.Context, _ int, out *amqprpc.Sender[string]) error {
			defer close(ended)
			if err := out.Send("x"); err != nil {
				return err
			}
			<-ctx.Done()
			return ctx.Err()
		})
	})
	w := testchromium.Open(t, s.URL+"/icon.svg", 1280, 900)
	panel := `(async (queue, kind) => {
		const { StreamPanel } = await import('/js/stream.js');
		const request = { ready: () => kind === 'server_stream' ? '1' : '"x"', mark() {} };
		return window.panel = new StreamPanel({ queue, kind, codecs: ['application/json'], request: {} }, request, () => ({}));
	})`
	got := testchromium.Eval[string](w, panel+`(`+quote(t, queue)+`, 'bidi_stream').then(async (p) => {
		const real = window.fetch;
		window.fetch = async (path, options) => {
			const answer = await real(path, options);
			if (!path.includes('/send')) return answer;
			await running; // the answer comes late
			return new Response('{"error":{"message":"the stream has ended"}}', { status: 404 });
		};
		const running = p.start();
		while (!p.stream) await new Promise((next) => setTimeout(next, 10));
		await p.sendOne();
		window.fetch = real;
		return p.end.textContent;
	})`)
	require.Contains(t, got, "left")
	testchromium.Eval[bool](w, panel+`(`+quote(t, deepQueue)+`, 'server_stream').then(async (p) => {
		const take = p.take.bind(p);
		p.take = (e) => { if (e.event === 'message') throw new RangeError('too deep'); take(e); };
		await p.start();
		return p.state.textContent === 'Ended with an error';
	})`)
	for _, fault := range w.Forget() {
		require.Contains(t, fault, "404", "the icon of a tab without the page")
	}
	select {
	case <-ended:
	case <-time.After(20 * time.Second):
		require.FailNow(t, "the handler goes on")
	}
}

// Names of hosts are equal whatever the case is, which browsers change.
func TestHostCase(t *testing.T) {
	t.Parallel()
	g := newGatekeeper(secret, []string{"Tools.Example.com"})
	require.True(t, g.knowsHost("tools.example.com:80"))
	for _, host := range []string{
		"tools.example.com.evil.example", "tools.example.com@evil.example", "127.0.0.1:80@evil.example", "127.0.0.1.evil.example:80",
		"[::1].evil.example", "localhost.:80", "evil.example#127.0.0.1", "0x7f.1", "2130706433", "",
	} {
		require.False(t, g.knowsHost(host), host)
	}
	require.False(t, newGatekeeper("", nil).knowsHost("0.0.0.0:80"))
}
