package management

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
)

// api serves one broker.
type api struct {
	b *amqptest.Broker
}

// Handler serves the API of a broker, under /api/. It may be used before the broker has
// clients and after it was closed.
func Handler(b *amqptest.Broker) http.Handler {
	a := &api{b}
	routes := a.routes()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.serve(w, r, routes.find(r))
	})
}

func (a *api) routes() router {
	return router{
		{"GET /api/overview", a.overview},
		{"GET /api/whoami", a.whoami},
		{"GET /api/vhosts", a.vhosts},
		{"GET /api/users", a.users},
		{"GET /api/permissions", a.permissions},
		{"GET /api/vhosts/{name}", a.vhost},
		{"PUT /api/vhosts/{name}", a.putVHost},
		{"DELETE /api/vhosts/{name}", a.deleteVHost},
		{"GET /api/users/{name}", a.getUser},
		{"PUT /api/users/{name}", a.putUser},
		{"DELETE /api/users/{name}", a.deleteUser},
		{"GET /api/permissions/{vhost}/{name}", a.getPermission},
		{"PUT /api/permissions/{vhost}/{name}", a.putPermission},
		{"DELETE /api/permissions/{vhost}/{name}", a.deletePermission},
		{"GET /api/policies", a.policies},
		{"GET /api/policies/{vhost}", a.policies},
		{"GET /api/policies/{vhost}/{name}", a.policy},
		{"PUT /api/policies/{vhost}/{name}", a.putPolicy},
		{"DELETE /api/policies/{vhost}/{name}", a.deletePolicy},
		{"POST /api/definitions", a.importDefinitions},
		{"GET /api/connections", a.connections},
		{"GET /api/vhosts/{vhost}/connections", a.connections},
		{"GET /api/connections/{name}", a.connection},
		{"DELETE /api/connections/{name}", a.closeConnection},
		{"GET /api/connections/{connection}/channels", a.channels},
		{"GET /api/channels", a.channels},
		{"GET /api/vhosts/{vhost}/channels", a.channels},
		{"GET /api/channels/{name}", a.channel},
		{"GET /api/queues", a.queues},
		{"GET /api/queues/{vhost}", a.queues},
		{"GET /api/queues/{vhost}/{name}", a.queue},
		{"DELETE /api/queues/{vhost}/{name}", a.deleteQueue},
		{"DELETE /api/queues/{vhost}/{name}/contents", a.purgeQueue},
		{"GET /api/queues/{vhost}/{queue}/bindings", a.bindings},
		{"GET /api/exchanges", a.exchanges},
		{"GET /api/exchanges/{vhost}", a.exchanges},
		{"GET /api/exchanges/{vhost}/{name}", a.exchange},
		{"GET /api/exchanges/{vhost}/{source}/bindings/source", a.bindings},
		{"GET /api/exchanges/{vhost}/{destination}/bindings/destination", a.bindings},
		{"GET /api/bindings", a.bindings},
		{"GET /api/bindings/{vhost}", a.bindings},
	}
}

// problem is an answer that is no success.
type problem struct {
	status       int
	Kind, Reason string
}

func (p *problem) Error() string { return p.Reason }

var errNotFound = &problem{http.StatusNotFound, "Object Not Found", "Not Found"}

// serve answers one request: with what serve returns, or 204 if that is nil.
func (a *api) serve(w http.ResponseWriter, r *http.Request, serve func(*http.Request) (any, error)) {
	if err := a.authenticate(r); err != nil {
		w.Header().Set("WWW-Authenticate", `Basic realm="RabbitMQ Management"`)
		answer(w, nil, err)
		return
	}
	v, err := serve(r)
	answer(w, v, err)
}

func (a *api) authenticate(r *http.Request) error {
	refused := func(reason string) error { return &problem{http.StatusUnauthorized, "not_authorised", reason} }
	name, password, ok := r.BasicAuth()
	if !ok || !a.b.Authenticate(name, password) {
		return refused("Login failed")
	}
	if u, ok := a.user(name); !ok || len(u.Tags) == 0 {
		return refused("User not authorised to access virtual host")
	}
	return nil
}

func (a *api) user(name string) (amqptest.UserInfo, bool) {
	all := a.b.Users()
	i := slices.IndexFunc(all, func(u amqptest.UserInfo) bool { return u.Name == name })
	if i < 0 {
		return amqptest.UserInfo{}, false
	}
	return all[i], true
}

func answer(w http.ResponseWriter, v any, err error) {
	status := http.StatusOK
	var p *problem
	switch {
	case errors.As(err, &p):
		status, v = p.status, map[string]any{"error": p.Kind, "reason": p.Reason}
	case errors.Is(err, amqptest.ErrNotFound):
		status, v = errNotFound.status, map[string]any{"error": errNotFound.Kind, "reason": errNotFound.Reason}
	case err != nil:
		status, v = http.StatusBadRequest, map[string]any{"error": "bad_request", "reason": err.Error()}
	case v == nil:
		w.WriteHeader(http.StatusNoContent)
		return
	case v == created{}:
		w.WriteHeader(http.StatusCreated)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // a client that is gone wants no more
}

// object is one of JSON's.
type object = map[string]any

func (a *api) overview(*http.Request) (any, error) {
	conns, channels, consumers, messages, ready := a.b.Connections(), 0, 0, 0, 0
	for _, c := range conns {
		channels += len(c.Info().Channels)
	}
	queues := a.b.Queues()
	for _, q := range queues {
		consumers += len(q.Consumers)
		ready += q.Ready
		messages += q.Ready + q.Unacked
	}
	return object{
		"product_name": "RabbitMQ", "rabbitmq_version": a.b.Follows().String(), "product_version": a.b.Follows().String(),
		"cluster_name": "amqptest", "node": node,
		"object_totals": object{"connections": len(conns), "channels": channels, "queues": len(queues),
			"exchanges": len(a.b.Exchanges()), "consumers": consumers},
		"queue_totals": object{"messages": messages, "messages_ready": ready, "messages_unacknowledged": messages - ready},
	}, nil
}

// node is the broker's, which is none.
const node = "amqptest@localhost"

func (a *api) whoami(r *http.Request) (any, error) {
	name, _, _ := r.BasicAuth()
	u, _ := a.user(name)
	return object{"name": u.Name, "tags": a.tags(u)}, nil
}

func (a *api) tags(u amqptest.UserInfo) []string { return append([]string{}, u.Tags...) }

func (a *api) vhosts(*http.Request) (any, error) { return a.vhostObjects(), nil }

func (a *api) vhostObjects() []object {
	all := []object{}
	for _, name := range a.b.VHosts() {
		ready, unacked := 0, 0
		for _, q := range a.b.VHost(name).Queues() {
			ready += q.Ready
			unacked += q.Unacked
		}
		all = append(all, object{"name": name, "messages": ready + unacked, "messages_ready": ready, "messages_unacknowledged": unacked})
	}
	return all
}

func (a *api) users(*http.Request) (any, error) { return a.userObjects(), nil }

func (a *api) userObjects() []object {
	all := []object{}
	for _, u := range a.b.Users() {
		all = append(all, object{"name": u.Name, "tags": a.tags(u)})
	}
	return all
}

func (a *api) permissions(*http.Request) (any, error) {
	all := []object{}
	for _, p := range a.b.Permissions() {
		all = append(all, describePermission(p))
	}
	return all, nil
}

func (a *api) importDefinitions(r *http.Request) (any, error) {
	if err := a.b.ImportDefinitions(r.Body); err != nil {
		return nil, &problem{http.StatusBadRequest, "bad_request", strings.TrimPrefix(err.Error(), "amqptest: ")}
	}
	return nil, nil
}

// only keeps what is in the request's virtual host, if it names one, which must exist.
func only[T any](a *api, r *http.Request, all []T, vhost func(T) string) ([]T, error) {
	name := r.PathValue("vhost")
	if name == "" {
		return all, nil
	}
	if !slices.Contains(a.b.VHosts(), name) {
		return nil, errNotFound
	}
	return slices.DeleteFunc(all, func(v T) bool { return vhost(v) != name }), nil
}
