package management

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
)

// created is the answer to a PUT that made something new.
type created struct{}

// stored is the answer to a PUT.
func stored(isNew bool) any {
	if isNew {
		return created{}
	}
	return nil
}

// decode reads a request's body, which may be empty.
func decode(r *http.Request, into any) error {
	if r.ContentLength == 0 {
		return nil
	}
	if err := json.NewDecoder(r.Body).Decode(into); err != nil {
		return &problem{http.StatusBadRequest, "bad_request", err.Error()}
	}
	return nil
}

func (a *api) vhost(r *http.Request) (any, error) {
	return find(a.vhostObjects(), "name", r.PathValue("name"))
}

// find is the object whose field has a value.
func find(all []object, field, value string) (any, error) {
	i := slices.IndexFunc(all, func(o object) bool { return o[field] == value })
	if i < 0 {
		return nil, errNotFound
	}
	return all[i], nil
}

// putVHost adds a virtual host, in which whoever asks gets all permissions, as in RabbitMQ.
func (a *api) putVHost(r *http.Request) (any, error) {
	var body struct {
		DefaultQueueType string `json:"default_queue_type"`
	}
	if err := decode(r, &body); err != nil {
		return nil, err
	}
	name := r.PathValue("name")
	isNew := a.b.AddVHost(name)
	if body.DefaultQueueType != "" {
		if err := a.b.VHost(name).SetDefaultQueueType(body.DefaultQueueType); err != nil {
			return nil, err
		}
	}
	if user, _, _ := r.BasicAuth(); isNew {
		if err := a.b.SetPermissions(name, user, ".*", ".*", ".*"); err != nil {
			return nil, err
		}
	}
	return stored(isNew), nil
}

func (a *api) deleteVHost(r *http.Request) (any, error) {
	return nil, unless(a.b.DeleteVHost(r.PathValue("name")))
}

func unless(found bool) error {
	if found {
		return nil
	}
	return errNotFound
}

func (a *api) getUser(r *http.Request) (any, error) {
	return find(a.userObjects(), "name", r.PathValue("name"))
}

func (a *api) putUser(r *http.Request) (any, error) {
	var body struct {
		Password string `json:"password"`
		Tags     any    `json:"tags"` // a list, or a text with commas
	}
	if err := decode(r, &body); err != nil {
		return nil, err
	}
	var tags []string
	switch v := body.Tags.(type) {
	case string:
		tags = strings.FieldsFunc(v, func(r rune) bool { return r == ',' || r == ' ' })
	case []any:
		for _, tag := range v {
			if s, ok := tag.(string); ok {
				tags = append(tags, s)
			}
		}
	}
	name := r.PathValue("name")
	_, known := a.user(name)
	a.b.SetUser(name, body.Password, tags...)
	return stored(!known), nil
}

func (a *api) deleteUser(r *http.Request) (any, error) {
	return nil, unless(a.b.DeleteUser(r.PathValue("name")))
}

// permission is what the request's user may do in the request's virtual host.
func (a *api) permission(r *http.Request) (amqptest.PermissionInfo, error) {
	all := a.b.Permissions()
	i := slices.IndexFunc(all, func(p amqptest.PermissionInfo) bool {
		return p.VHost == r.PathValue("vhost") && p.User == r.PathValue("name")
	})
	if i < 0 {
		return amqptest.PermissionInfo{}, errNotFound
	}
	return all[i], nil
}

func (a *api) getPermission(r *http.Request) (any, error) {
	p, err := a.permission(r)
	if err != nil {
		return nil, err
	}
	return describePermission(p), nil
}

func describePermission(p amqptest.PermissionInfo) object {
	return object{"user": p.User, "vhost": p.VHost, "configure": p.Configure, "write": p.Write, "read": p.Read}
}

func (a *api) putPermission(r *http.Request) (any, error) {
	var body struct{ Configure, Write, Read string }
	if err := decode(r, &body); err != nil {
		return nil, err
	}
	_, err := a.permission(r)
	return stored(err != nil), a.b.SetPermissions(r.PathValue("vhost"), r.PathValue("name"), body.Configure, body.Write, body.Read)
}

func (a *api) deletePermission(r *http.Request) (any, error) {
	if _, err := a.permission(r); err != nil {
		return nil, err
	}
	return nil, a.b.ClearPermissions(r.PathValue("vhost"), r.PathValue("name"))
}

func (a *api) policies(r *http.Request) (any, error) {
	all := []object{}
	for _, vhost := range a.b.VHosts() {
		if name := r.PathValue("vhost"); name != "" && name != vhost {
			continue
		}
		for _, p := range a.b.VHost(vhost).Policies() {
			all = append(all, object{"vhost": vhost, "name": p.Name, "pattern": p.Pattern, "apply-to": p.ApplyTo,
				"priority": p.Priority, "definition": p.Definition})
		}
	}
	return all, nil
}

func (a *api) policy(r *http.Request) (any, error) {
	all, _ := a.policies(r)
	return find(all.([]object), "name", r.PathValue("name"))
}

func (a *api) putPolicy(r *http.Request) (any, error) {
	body := struct {
		Pattern    string
		ApplyTo    string `json:"apply-to"`
		Priority   int
		Definition map[string]any
	}{}
	if err := decode(r, &body); err != nil {
		return nil, err
	}
	_, err := a.policy(r)
	return stored(err != nil), a.b.VHost(r.PathValue("vhost")).SetPolicy(amqptest.Policy{Name: r.PathValue("name"), Pattern: body.Pattern,
		ApplyTo: body.ApplyTo, Priority: body.Priority, Definition: body.Definition})
}

func (a *api) deletePolicy(r *http.Request) (any, error) {
	return nil, unless(a.b.VHost(r.PathValue("vhost")).DeletePolicy(r.PathValue("name")))
}
