package web

import (
	"context"
	"iter"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc/describe"
	"github.com/bbebcec1/amqprpc-go/cmd/amqprpc/internal/testbroker"
)

const secret = "a-token-of-some-length"

// pageOfNobody returns a page without servers.
func pageOfNobody(t *testing.T, cfg Config) *Page {
	t.Helper()
	cfg.Client = dial(t, testbroker.URL(t, node))
	return newPage(cfg, source{
		infos: func(context.Context) iter.Seq2[describe.Info, error] { return all[describe.Info]() },
		stats: func(context.Context) iter.Seq2[describe.Stats, error] { return all[describe.Stats]() },
	})
}

func TestWhoMayAsk(t *testing.T) {
	t.Parallel()
	open := pageOfNobody(t, Config{})
	locked := pageOfNobody(t, Config{Token: secret, Hosts: []string{"tools.example.com"}})
	for name, tt := range map[string]struct {
		page   *Page
		host   string
		header map[string]string
		path   string
		want   int
	}{
		"loopback":                  {open, "127.0.0.1:8672", nil, "/api/catalog", 200},
		"IPv6":                      {open, "[::1]:8672", nil, "/api/catalog", 200},
		"localhost, another port":   {open, "localhost:9000", nil, "/api/catalog", 200},
		"rebound name":              {open, "evil.example:8672", nil, "/api/catalog", 421},
		"rebound name, the page":    {open, "evil.example:8672", nil, "/", 421},
		"name that begins the same": {open, "localhost.evil.example", nil, "/api/catalog", 421},
		"no host":                   {open, "", nil, "/api/catalog", 421},
		"address without a token":   {open, "192.0.2.1:8672", nil, "/api/catalog", 421},
		"same origin":               {open, "localhost:8672", map[string]string{"Origin": "http://localhost:8672", "Sec-Fetch-Site": "same-origin"}, "/api/catalog", 200},
		"behind TLS":                {open, "localhost:8672", map[string]string{"Origin": "https://localhost:8672"}, "/api/catalog", 200},
		"another port's origin":     {open, "localhost:8672", map[string]string{"Origin": "http://localhost:9000"}, "/api/catalog", 403},
		"another site":              {open, "localhost:8672", map[string]string{"Origin": "http://evil.example"}, "/api/catalog", 403},
		"a page in a sandbox":       {open, "localhost:8672", map[string]string{"Origin": "null"}, "/api/catalog", 403},
		"an image of another site":  {open, "localhost:8672", map[string]string{"Sec-Fetch-Site": "cross-site"}, "/api/stats", 403},
		"a neighbour":               {open, "localhost:8672", map[string]string{"Sec-Fetch-Site": "same-site"}, "/api/stats", 403},
		"a link to the page":        {open, "localhost:8672", map[string]string{"Sec-Fetch-Site": "cross-site"}, "/", 200},
		"without the token":         {locked, "127.0.0.1:8672", nil, "/api/catalog", 401},
		"the page itself":           {locked, "127.0.0.1:8672", nil, "/", 200},
		"bearer":                    {locked, "192.0.2.1:8672", map[string]string{"Authorization": "Bearer " + secret}, "/api/catalog", 200},
		"named host":                {locked, "tools.example.com", map[string]string{"Authorization": "Bearer " + secret}, "/api/catalog", 200},
		"unnamed host":              {locked, "other.example.com", map[string]string{"Authorization": "Bearer " + secret}, "/api/catalog", 421},
		"wrong bearer":              {locked, "127.0.0.1:8672", map[string]string{"Authorization": "Bearer " + secret + "x"}, "/api/catalog", 401},
		"empty bearer":              {locked, "127.0.0.1:8672", map[string]string{"Authorization": "Bearer "}, "/api/catalog", 401},
		"the token as a cookie":     {locked, "127.0.0.1:8672", map[string]string{"Cookie": "amqprpc-8672=" + secret}, "/api/catalog", 401},
		"the cookie":                {locked, "127.0.0.1:8672", map[string]string{"Cookie": "amqprpc-8672=" + locked.gate.session}, "/api/catalog", 200},
		"the cookie, another site":  {locked, "127.0.0.1:8672", map[string]string{"Cookie": "amqprpc-8672=" + locked.gate.session, "Origin": "http://evil.example"}, "/api/catalog", 403},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequest(http.MethodGet, tt.path, nil)
			r.Host = tt.host
			for k, v := range tt.header {
				r.Header.Set(k, v)
			}
			w := httptest.NewRecorder()
			tt.page.ServeHTTP(w, r)
			require.Equal(t, tt.want, w.Code, w.Body)
			require.NotContains(t, w.Body.String(), secret)
			csp := w.Header().Get("Content-Security-Policy")
			require.Contains(t, csp, "default-src 'none'")
			require.Contains(t, csp, "frame-ancestors 'none'")
			require.NotContains(t, csp, "unsafe")
			require.Equal(t, "nosniff", w.Header().Get("X-Content-Type-Options"))
			require.Empty(t, w.Header().Get("Access-Control-Allow-Origin"))
		})
	}
}

func TestLogin(t *testing.T) {
	t.Parallel()
	s := serve(t, pageOfNobody(t, Config{Token: secret}))
	resp := post(t, s, "/api/login", map[string]string{"token": secret + "x"})
	require.Equal(t, http.StatusUnauthorized, resp.StatusCode)
	require.Empty(t, resp.Cookies())

	resp = post(t, s, "/api/login", map[string]string{"token": secret})
	require.Equal(t, http.StatusOK, resp.StatusCode)
	require.Len(t, resp.Cookies(), 1)
	cookie := resp.Cookies()[0]
	require.True(t, cookie.HttpOnly)
	require.Equal(t, http.SameSiteStrictMode, cookie.SameSite)
	require.NotContains(t, cookie.String(), secret)

	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/api/catalog", nil)
	require.NoError(t, err)
	req.AddCookie(cookie)
	require.Equal(t, http.StatusOK, do(t, s, req).StatusCode)
}

// Only methods and content types of the page are taken, so that forms of other sites are not.
func TestOddRequests(t *testing.T) {
	t.Parallel()
	s := serve(t, pageOfNobody(t, Config{}))
	for name, tt := range map[string]struct {
		method, path, kind, body string
		want                     int
	}{
		"a form":         {"POST", "/api/call", "application/x-www-form-urlencoded", "queue=x", 415},
		"plain text":     {"POST", "/api/call", "text/plain", `{"queue":"x"}`, 415},
		"no type":        {"POST", "/api/stream", "", `{}`, 415},
		"no JSON":        {"POST", "/api/call", "application/json", `{"queue"`, 400},
		"wrong kind":     {"POST", "/api/call", "application/json", `{"queue":7}`, 400},
		"too large":      {"POST", "/api/call", "application/json", `{"queue":"` + strings.Repeat("x", maxBody) + `"}`, 413},
		"call by GET":    {"GET", "/api/call", "", "", 404},
		"unknown path":   {"POST", "/api/nothing", "application/json", "{}", 405},
		"no such stream": {"POST", "/api/stream/pause", "application/json", `{"stream":"x"}`, 404},
		"send to none":   {"POST", "/api/stream/send", "application/json", `{"stream":""}`, 404},
		"finish none":    {"POST", "/api/stream/finish", "application/json", `{}`, 404},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			req, err := http.NewRequestWithContext(t.Context(), tt.method, s.URL+tt.path, strings.NewReader(tt.body))
			require.NoError(t, err)
			req.Header.Set("Content-Type", tt.kind)
			require.Equal(t, tt.want, do(t, s, req).StatusCode)
		})
	}
}

func TestListen(t *testing.T) {
	t.Parallel()
	for addr, want := range map[string]string{
		"0.0.0.0:0": "--token", ":0": "--token", "[::]:0": "--token", "192.0.2.1:0": "--token", "example.com:0": "--token",
		"localhost.example.com:0": "--token", "127.0.0.1": "host:port", "": "host:port",
	} {
		l, err := Listen(addr, "")
		require.ErrorContains(t, err, want, addr)
		require.Nil(t, l)
	}
	_, err := Listen("127.0.0.1:0", "short")
	require.ErrorContains(t, err, "16 bytes")
	for addr, token := range map[string]string{"127.0.0.1:0": "", "localhost:0": "", "127.8.9.1:0": "", "0.0.0.0:0": secret} {
		l, err := Listen(addr, token)
		require.NoError(t, err, addr)
		require.IsType(t, &net.TCPListener{}, l)
		require.NoError(t, l.Close())
	}
}
