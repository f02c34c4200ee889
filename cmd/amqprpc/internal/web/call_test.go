package web

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
	"github.com/bbebcec1/amqprpc-go/cmd/amqprpc/internal/testbroker"
)

const halfSchema = `{"type":"integer","minimum":1}`

func half(_ context.Context, n int64) (int64, error) {
	if n%2 != 0 {
		return 0, amqprpc.Errorf(amqprpc.CodeInvalidArgument, "%d is odd", n).WithDetail("rest", 1).WithRetryAfter(time.Second)
	}
	return n / 2, nil
}

func TestCall(t *testing.T) {
	t.Parallel()
	queue := testbroker.Queue(t, "")
	s := start(t, func(srv *amqprpc.Server) { amqprpc.Register(srv, queue, half) })
	ask := func(request, schema string) callReply {
		in := callRequest{Queue: queue, Kind: "unary", Codecs: []string{"application/json"}, Request: json.RawMessage(request), Schema: json.RawMessage(schema)}
		return decode[callReply](t, post(t, s, "/api/call", in), http.StatusOK)
	}
	r := ask("9007199254740994", halfSchema)
	require.Nil(t, r.Error)
	require.Equal(t, "4503599627370497", string(r.Response))
	require.Positive(t, r.Timing.Total)
	require.True(t, r.Timing.Known)

	r = ask("7", halfSchema)
	require.Equal(t, "invalid_argument", r.Error.Code)
	require.Equal(t, "executed", r.Error.Outcome)
	require.True(t, r.Error.Remote)
	require.JSONEq(t, "1", string(r.Error.Details["rest"]))
	require.Equal(t, time.Second, r.Error.RetryAfter)

	r = ask("-2", halfSchema)
	require.Equal(t, "not-sent", r.Error.Outcome)
	require.Len(t, r.Error.Problems, 1)
	require.Nil(t, ask("-2", "null").Error, "without a schema, the server decides")
	require.Equal(t, "not-sent", ask(`"x"`, halfSchema).Error.Outcome)

	in := callRequest{Queue: queue + ".nobody", Request: json.RawMessage("1")}
	r = decode[callReply](t, post(t, s, "/api/call", in), http.StatusOK)
	require.Equal(t, "unavailable", r.Error.Code)
	require.Equal(t, "not-executed", r.Error.Outcome)
	in = callRequest{Queue: "", Request: json.RawMessage("1")}
	require.NotNil(t, decode[callReply](t, post(t, s, "/api/call", in), http.StatusOK).Error)
	in = callRequest{Queue: queue, Request: json.RawMessage("2"), Instance: "nobody"}
	require.NotNil(t, decode[callReply](t, post(t, s, "/api/call", in), http.StatusOK).Error)
}

// A browser that gives up, as a closed tab does, ends the handler.
func TestClosedTabEndsTheHandler(t *testing.T) {
	t.Parallel()
	queue := testbroker.Queue(t, "")
	started, ended := make(chan struct{}, 1), make(chan error, 1)
	s := start(t, func(srv *amqprpc.Server) {
		amqprpc.Register(srv, queue, func(ctx context.Context, _ int) (int, error) {
			started <- struct{}{}
			<-ctx.Done()
			ended <- ctx.Err()
			return 0, ctx.Err()
		})
	})
	ctx, closeTab := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.URL+"/api/call", strings.NewReader(`{"queue":"`+queue+`","request":1}`))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/json")
	done := make(chan error, 1)
	go func() {
		resp, err := s.Client().Do(req)
		if err == nil {
			resp.Body.Close()
		}
		done <- err
	}()
	<-started
	closeTab()
	require.Error(t, <-done)
	require.ErrorIs(t, <-ended, context.Canceled)
}

// Calls beyond the bound are refused, and a call that ends makes room.
func TestTooManyCalls(t *testing.T) {
	t.Parallel()
	p := pageOfNobody(t, Config{})
	s := serve(t, p)
	refused := func(browser, because string) {
		t.Helper()
		for _, path := range []string{"/api/call", "/api/all", "/api/stream"} {
			r := decode[callReply](t, post(t, s, path, callRequest{Browser: browser}), http.StatusTooManyRequests)
			require.Contains(t, r.Error.Message, because, path)
		}
	}
	take := func(browser string, n int) {
		t.Helper()
		for range n {
			require.NoError(t, p.slots.take(browser))
		}
	}
	take("a", maxOfBrowser)
	refused("a", "in all its tabs")
	p.slots.give("a")
	take("a", 1)
	take("", maxCalls-2*maxOfBrowser)
	take("b", maxOfBrowser)
	refused("c", "of all browsers together")
	refused("", "of all browsers together")
	for range maxOfBrowser {
		p.slots.give("b")
	}
	require.NotContains(t, p.slots.browsers, "b")
	take("b", maxOfBrowser)
}

// No answer and no log line has the credentials of the broker, or the token.
func TestSecretsStayHere(t *testing.T) {
	t.Parallel()
	b := amqptest.Start(t, amqptest.WithUser("ada", "lovelace-1815"))
	var log bytes.Buffer
	cli, err := amqprpc.Dial(t.Context(), b.URL(), amqprpc.WithLogger(nil))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, cli.Close()) })
	s := serve(t, New(Config{Client: cli, Token: secret, Log: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))}))
	resp := post(t, s, "/api/login", map[string]string{"token": secret})
	cookie := resp.Cookies()[0]
	ask := func(method, path, body string) {
		req, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, strings.NewReader(body))
		require.NoError(t, err)
		req.AddCookie(cookie)
		req.Header.Set("Content-Type", "application/json")
		resp := do(t, s, req)
		text, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		for _, hidden := range []string{"lovelace", "ada:", "ada@", secret} {
			require.NotContains(t, string(text), hidden, path)
		}
	}
	all := func() {
		for _, path := range []string{"/", "/js/app.js", "/api/catalog", "/api/stats"} {
			ask(http.MethodGet, path, "")
		}
		ask(http.MethodPost, "/api/call", `{"queue":"nobody","request":1,"timeout_ms":300}`)
		ask(http.MethodPost, "/api/all", `{"queue":"nobody","request":1,"timeout_ms":300}`)
		ask(http.MethodPost, "/api/stream", `{"queue":"nobody","kind":"server_stream","request":1,"timeout_ms":300}`)
	}
	all()
	require.NoError(t, b.Close())
	all()
	require.NotContains(t, log.String(), "lovelace")
	require.NotContains(t, log.String(), secret)
}
