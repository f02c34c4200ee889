package web

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/cmd/amqprpc/internal/testbroker"
	"github.com/bbebcec1/amqprpc-go/cmd/amqprpc/internal/testchromium"
)

// startThree serves a queue with three servers that take broadcasts. The third one always fails.
func startThree(t *testing.T, queue string, handler func(context.Context, int64) (int64, error)) *httptest.Server {
	t.Helper()
	url := testbroker.URL(t, node)
	for i := range 3 {
		srv := amqprpc.NewServer(url, amqprpc.WithLogger(nil), amqprpc.WithService(amqprpc.Service{Name: fmt.Sprint("service", i)}))
		amqprpc.Register(srv, queue, func(ctx context.Context, n int64) (int64, error) {
			if i == 2 {
				return 0, amqprpc.Errorf(amqprpc.CodeAborted, "the third one fails")
			}
			return handler(ctx, n)
		}, amqprpc.WithBroadcast(), amqprpc.WithExample(8))
		served := make(chan error, 1)
		go func() { served <- srv.Serve(t.Context()) }()
		t.Cleanup(func() { require.NoError(t, <-served) }) // t.Context has ended
		<-srv.Ready()
		testbroker.Found(t, url, srv)
	}
	return serve(t, New(Config{Client: dial(t, url)}))
}

// callAll asks all instances until all have answered. A busy machine may answer late.
func callAll(w *testchromium.Window) {
	w.Until(`(() => {
		const figures = document.querySelector('.outcome .quiet')?.innerText ?? '';
		const all = [...document.querySelectorAll('button')].find((e) => e.textContent === 'Call all');
		if (document.querySelector('.waiting') || figures.startsWith('3 answers')) return figures.startsWith('3 answers');
		all?.click();
	})()`)
}

// Each instance answers for itself, and the end says that these are all.
func TestAll(t *testing.T) {
	t.Parallel()
	queue := testbroker.Queue(t, "")
	s := startThree(t, queue, half)
	ask := func(queue, request, schema string) (events []event) {
		resp := post(t, s, "/api/all", callRequest{Queue: queue, Kind: "unary", Codecs: []string{"application/json"}, Request: json.RawMessage(request), Schema: json.RawMessage(schema)})
		require.Equal(t, http.StatusOK, resp.StatusCode)
		for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
			var e event
			require.NoError(t, json.Unmarshal(lines.Bytes(), &e))
			events = append(events, e)
		}
		return events
	}
	var events []event
	for range 20 { // a busy machine may answer late
		if events = ask(queue, "8", halfSchema); len(events) == 4 {
			break
		}
	}
	require.Len(t, events, 4)
	instances := make(map[string]bool)
	failed := 0
	for _, e := range events[:3] {
		require.Equal(t, "answer", e.Event)
		instances[e.Instance] = true
		if e.Error != nil {
			failed++
			require.Equal(t, "aborted", e.Error.Code)
			continue
		}
		require.Equal(t, "4", string(e.Message))
	}
	require.Len(t, instances, 3)
	require.Equal(t, 1, failed)
	require.Equal(t, "end", events[3].Event)
	require.Nil(t, events[3].Error)
	require.EqualValues(t, 3, events[3].Received)

	events = ask(queue, "-8", halfSchema)
	require.Len(t, events, 1)
	require.Equal(t, "not-sent", events[0].Error.Outcome)
	events = ask(queue+".nobody", "8", halfSchema)
	require.Len(t, events, 1)
	require.Equal(t, "unavailable", events[0].Error.Code)
}

// A person asks all instances, and sees each answer. A call that is cancelled ends its handlers.
func TestAllInTheBrowser(t *testing.T) {
	t.Parallel()
	queue := testbroker.Queue(t, "")
	started, ended := make(chan struct{}, 2), make(chan error, 2)
	s := startThree(t, queue, func(ctx context.Context, n int64) (int64, error) {
		if n == 0 {
			started <- struct{}{}
			<-ctx.Done()
			ended <- ctx.Err()
			return 0, ctx.Err()
		}
		return half(ctx, n)
	})
	w := testchromium.Open(t, s.URL+"/#/m/"+queue, 1280, 900)
	callAll(w)
	w.Sees("3 answers, of which 1 error")
	require.Equal(t, 3, testchromium.Eval[int](w, "document.querySelectorAll('.answers li').length"))
	w.Sees("the third one fails")
	require.Equal(t, 2, testchromium.Eval[int](w, "[...document.querySelectorAll('.answers pre')].filter((e) => e.textContent === '4').length"))
	w.Until("document.querySelector('.waiting') === null")

	testchromium.Eval[bool](w, `((e) => { e.value = '0'; e.dispatchEvent(new Event('input')); return true; })(document.querySelector('textarea.grow'))`)
	w.Click("button", "Call all")
	w.Sees("1 answer, of which 1 error")
	for range cap(started) {
		<-started
	}
	w.Click("button", "Cancel")
	w.Sees("its handlers were told")
	w.Sees("the third one fails")
	for range cap(ended) {
		require.ErrorIs(t, <-ended, context.Canceled)
	}
}

// A wrong timeout is no timeout: the page says so, and sends nothing.
func TestWrongTimeoutInTheBrowser(t *testing.T) {
	t.Parallel()
	queue := testbroker.Queue(t, "")
	s := startThree(t, queue, half)
	w := testchromium.Open(t, s.URL+"/#/m/"+queue, 375, 900)
	callAll(w)
	write := func(text string) {
		testchromium.Eval[bool](w, `((e) => { e.value = `+quote(t, text)+`; e.dispatchEvent(new Event('input')); return true; })(document.querySelector('input.short'))`)
	}
	const wrong = "document.querySelector('input.short').getAttribute('aria-invalid') === 'true' && document.body.innerText.includes('Write the timeout in seconds')"
	for _, text := range []string{"2,5", "-1", "0", "0.0001", "600.1", "Infinity", "five", "1 2"} {
		write(text)
		require.True(t, testchromium.Eval[bool](w, wrong), text)
		for _, button := range []string{"Call", "Call all"} {
			w.Click("button", button)
			require.True(t, testchromium.Eval[bool](w, wrong+" && document.activeElement.classList.contains('short') && document.querySelector('.answers') !== null"), "%s: the last answers stay", text)
		}
	}
	for _, text := range []string{" 2.5 ", "600", "1e1", ""} {
		write(text)
		require.False(t, testchromium.Eval[bool](w, wrong), text)
	}
	write("2.5")
	w.Click("button", "Call")
	w.Until("document.querySelector('.timing') || document.querySelector('.failure')")
}
