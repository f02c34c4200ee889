package web

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// gatekeeper decides which requests the page takes. It refuses a foreign Host, which stops DNS
// rebinding, a foreign Origin, which stops other sites, and a missing token.
type gatekeeper struct {
	token   string
	session string // the value of the cookie, which proves the token without containing it
	hosts   []string
}

func newGatekeeper(token string, hosts []string) *gatekeeper {
	return &gatekeeper{token: token, session: rand.Text(), hosts: hosts}
}

// policy forbids everything but the page's own files, and every way to insert HTML.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

func (g *gatekeeper) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		api := strings.HasPrefix(r.URL.Path, "/api/")
		switch {
		case !g.knowsHost(r.Host):
			refuse(w, http.StatusMisdirectedRequest, "permission_denied",
				"the page is not known under this host name: open it by its address, or name the host with --host")
		case api && !sameOrigin(r):
			refuse(w, http.StatusForbidden, "permission_denied", "the request comes from another site")
		case api && r.URL.Path != "/api/login" && !g.isLoggedIn(r):
			refuse(w, http.StatusUnauthorized, "unauthenticated", "this page needs its token")
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// knowsHost reports whether a browser that sends this Host can mean this page. A site that
// rebinds its own name to this address sends its name. Addresses cannot be rebound.
func (g *gatekeeper) knowsHost(host string) bool {
	name, port, err := net.SplitHostPort(host)
	if strings.Trim(port, "0123456789") != "" {
		return false
	}
	if err != nil {
		name = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	}
	if isLoopback(name) || slices.ContainsFunc(g.hosts, func(h string) bool { return strings.EqualFold(h, name) }) {
		return true
	}
	_, err = netip.ParseAddr(name)
	return g.token != "" && err == nil
}

// sameOrigin reports whether the page itself, or no browser, has sent r.
func sameOrigin(r *http.Request) bool {
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" && site != "same-origin" {
		return false
	}
	switch origin := r.Header.Get("Origin"); origin {
	case "", "http://" + r.Host, "https://" + r.Host:
		return true
	default:
		return false
	}
}

func (g *gatekeeper) isLoggedIn(r *http.Request) bool {
	if g.token == "" {
		return true
	}
	if bearer, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok && same(bearer, g.token) {
		return true
	}
	return slices.ContainsFunc(r.CookiesNamed(cookieName(r)), func(c *http.Cookie) bool { return same(c.Value, g.session) })
}

// login exchanges the token for a cookie. Scripts cannot read the cookie, and no other site's
// requests carry it.
func (g *gatekeeper) login(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Token string `json:"token"`
	}
	if !readJSON(w, r, &in) {
		return
	}
	if g.token != "" && !same(in.Token, g.token) {
		refuse(w, http.StatusUnauthorized, "unauthenticated", "this is not the token of this page")
		return
	}
	http.SetCookie(w, &http.Cookie{
		Name: cookieName(r), Value: g.session, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode,
	})
	writeJSON(w, http.StatusOK, struct{}{})
}

// cookieName has the port, because browsers share cookies between the ports of a host.
func cookieName(r *http.Request) string {
	if _, port, err := net.SplitHostPort(r.Host); err == nil {
		return "amqprpc-" + port
	}
	return "amqprpc"
}

// same compares secrets in a time that says nothing about them.
func same(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}
