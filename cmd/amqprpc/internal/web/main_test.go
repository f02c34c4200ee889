package web

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/cmd/amqprpc/internal/testbroker"
)

var node string

func TestMain(m *testing.M) { testbroker.Main(m, func(url string) { node = url }) }

// start starts a broker, a server with the handlers of register, and a page for them.
func start(t *testing.T, register func(*amqprpc.Server)) *httptest.Server {
	t.Helper()
	url := testbroker.URL(t, node)
	srv := amqprpc.NewServer(url, amqprpc.WithLogger(nil))
	register(srv)
	ctx := t.Context()
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ctx) }()
	t.Cleanup(func() { require.NoError(t, <-served) }) // t.Context has ended
	select {
	case <-srv.Ready():
	case err := <-served:
		require.NoError(t, err)
	}
	return serve(t, newPage(Config{Client: dial(t, url)}, source{}))
}

func dial(t *testing.T, url string) *amqprpc.Client {
	t.Helper()
	cli, err := amqprpc.Dial(t.Context(), url, amqprpc.WithLogger(nil))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, cli.Close()) })
	return cli
}

// serve serves a page as Serve does, but for the end.
func serve(t *testing.T, p *Page) *httptest.Server {
	t.Helper()
	s := httptest.NewUnstartedServer(p)
	s.Config.ConnContext = smallBuffers
	s.Start()
	t.Cleanup(s.Close)
	return s
}

// post posts v as the page does, and returns the answer.
func post(t *testing.T, s *httptest.Server, path string, v any) *http.Response {
	t.Helper()
	body, err := json.Marshal(v)
	require.NoError(t, err)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+path, bytes.NewReader(body))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Origin", s.URL)
	return do(t, s, req)
}

func do(t *testing.T, s *httptest.Server, req *http.Request) *http.Response {
	t.Helper()
	resp, err := s.Client().Do(req)
	require.NoError(t, err)
	t.Cleanup(func() { resp.Body.Close() })
	return resp
}

// decode decodes an answer and checks its status.
func decode[T any](t *testing.T, resp *http.Response, status int) (v T) {
	t.Helper()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Equal(t, status, resp.StatusCode, "%s", body)
	require.NoError(t, json.Unmarshal(body, &v), "%s", body)
	return v
}
