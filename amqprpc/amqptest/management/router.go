package management

import (
	"net/http"
	"net/url"
	"strings"
)

// route is a method, a path with {names} for segments, and what serves it.
type route struct {
	pattern string
	serve   func(*http.Request) (any, error)
}

// router finds routes. That of net/http does not take the segment %2F, the virtual host /.
type router []route

// find is what serves a request, whose path values it sets.
func (rs router) find(r *http.Request) func(*http.Request) (any, error) {
	path := strings.Split(r.URL.EscapedPath(), "/")
	fault := errNotFound
	for _, route := range rs {
		method, pattern, _ := strings.Cut(route.pattern, " ")
		values, ok := match(strings.Split(pattern, "/"), path)
		if !ok {
			continue
		}
		if method == r.Method {
			for name, value := range values {
				r.SetPathValue(name, value)
			}
			return route.serve
		}
		fault = &problem{http.StatusMethodNotAllowed, "Method Not Allowed", "Method Not Allowed"}
	}
	return func(*http.Request) (any, error) { return nil, fault }
}

// match compares a path with a pattern and returns what stands for the names.
func match(pattern, path []string) (values map[string]string, ok bool) {
	if len(pattern) != len(path) {
		return nil, false
	}
	values = make(map[string]string)
	for i, want := range pattern {
		got, err := url.PathUnescape(path[i])
		if err != nil {
			return nil, false
		}
		if name, ok := strings.CutPrefix(want, "{"); ok {
			values[strings.TrimSuffix(name, "}")] = got
		} else if got != want {
			return nil, false
		}
	}
	return values, true
}
