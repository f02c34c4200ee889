// Package template makes a request to fill in: the example of a method, or one made of its
// schema.
package template

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/bbebcec1/amqprpc-go/amqprpc/describe"
)

// A schema comes from a stranger, so that what is made of it has bounds.
const (
	maxDepth = 12
	maxParts = 500
	maxBytes = 1 << 20
)

// Of returns a request with which a caller can begin: the example of the message if there is
// one, else one made of the schema, else an empty object. Own is false for the last.
func Of(m describe.Message) (request json.RawMessage, known bool) {
	if len(m.Example) > 0 && json.Valid(m.Example) {
		return m.Example, true
	}
	if len(m.Schema) == 0 || len(m.Schema) > maxBytes {
		return json.RawMessage("{}"), false
	}
	var root any
	d := json.NewDecoder(bytes.NewReader(m.Schema))
	d.UseNumber()
	if d.Decode(&root) != nil {
		return json.RawMessage("{}"), false
	}
	b := builder{root: root, left: maxParts}
	text, err := json.Marshal(b.value(root, 0))
	if err != nil || len(text) > maxBytes {
		return json.RawMessage("{}"), false
	}
	return text, true
}

// builder makes a value of a schema.
type builder struct {
	root any
	left int // parts that may still be made
}

// value returns a value that fits a schema, as far as that is simple. It is null at the bounds.
func (b *builder) value(schema any, depth int) any {
	s, ok := schema.(map[string]any)
	if b.left--; !ok || b.left < 0 || depth > maxDepth {
		return nil
	}
	for _, key := range []string{"const", "default"} {
		if v, ok := s[key]; ok {
			return v
		}
	}
	for _, key := range []string{"examples", "enum"} {
		if list, ok := s[key].([]any); ok && len(list) > 0 {
			return list[0]
		}
	}
	if ref, ok := s["$ref"].(string); ok {
		return b.value(b.resolve(ref), depth+1)
	}
	for _, key := range []string{"oneOf", "anyOf"} {
		if list, ok := s[key].([]any); ok && len(list) > 0 {
			return b.value(first(list), depth+1)
		}
	}
	if list, ok := s["allOf"].([]any); ok {
		return b.all(s, list, depth)
	}
	return b.typed(s, depth)
}

// first returns the first alternative that is not null.
func first(alternatives []any) any {
	for _, a := range alternatives {
		if s, ok := a.(map[string]any); ok && s["type"] != "null" {
			return a
		}
	}
	return alternatives[0]
}

// all returns an object with the members of all schemas of an allOf, or the value of the first.
func (b *builder) all(s map[string]any, list []any, depth int) any {
	merged, isObject := b.typed(s, depth).(map[string]any)
	for _, sub := range list {
		v := b.value(sub, depth+1)
		members, ok := v.(map[string]any)
		if !ok {
			return v
		}
		if !isObject {
			merged, isObject = make(map[string]any), true
		}
		for k, m := range members {
			merged[k] = m
		}
	}
	return merged
}

// typed returns a value of the schema's type.
func (b *builder) typed(s map[string]any, depth int) any {
	kind, _ := s["type"].(string)
	if kinds, ok := s["type"].([]any); ok {
		for _, k := range kinds {
			if text, ok := k.(string); ok && text != "null" {
				kind = text
				break
			}
		}
	}
	if _, ok := s["properties"]; kind == "" && ok {
		kind = "object"
	}
	switch kind {
	case "object":
		return b.object(s, depth)
	case "array":
		return b.array(s, depth)
	case "string":
		return text(s)
	case "integer", "number":
		return number(s)
	case "boolean":
		return false
	}
	return nil
}

func (b *builder) object(s map[string]any, depth int) any {
	out := make(map[string]any)
	members, _ := s["properties"].(map[string]any)
	for name, m := range members {
		if b.left <= 0 {
			break
		}
		if depth >= 3 && !required(s, name) { // a recursive type would fill the screen
			continue
		}
		out[name] = b.value(m, depth+1)
	}
	return out
}

func required(s map[string]any, name string) bool {
	list, _ := s["required"].([]any)
	for _, r := range list {
		if r == name {
			return true
		}
	}
	return false
}

func (b *builder) array(s map[string]any, depth int) any {
	out := []any{}
	if list, ok := s["prefixItems"].([]any); ok {
		for _, item := range list[:min(len(list), max(b.left, 0))] {
			out = append(out, b.value(item, depth+1))
		}
		return out
	}
	if item, ok := s["items"].(map[string]any); ok && depth < 4 {
		n := min(max(integer(s["minItems"]), 1), 10)
		for range n {
			out = append(out, b.value(item, depth+1))
		}
	}
	return out
}

// text returns a string that shows what is expected.
func text(s map[string]any) string {
	if encoding, ok := s["contentEncoding"].(string); ok && strings.HasPrefix(encoding, "base64") {
		return "AAAA"
	}
	switch s["format"] {
	case "date-time":
		return "2026-01-02T15:04:05Z"
	case "date":
		return "2026-01-02"
	case "time":
		return "15:04:05Z"
	case "duration":
		return "PT1S"
	case "uuid":
		return "00000000-0000-0000-0000-000000000000"
	case "email":
		return "name@example.com"
	case "uri":
		return "https://example.com/"
	case "ipv4":
		return "192.0.2.1"
	case "ipv6":
		return "2001:db8::1"
	}
	return strings.Repeat("x", min(integer(s["minLength"]), 100))
}

// number returns the smallest number that a schema allows, or 0.
func number(s map[string]any) any {
	if v, ok := s["minimum"].(json.Number); ok {
		return v
	}
	if v, ok := s["exclusiveMinimum"].(json.Number); ok {
		if n, err := v.Int64(); err == nil {
			return n + 1
		}
	}
	if v, ok := s["maximum"].(json.Number); ok && strings.HasPrefix(string(v), "-") {
		return v
	}
	return 0
}

func integer(v any) int {
	n, ok := v.(json.Number)
	if !ok {
		return 0
	}
	i, err := n.Int64()
	if err != nil || i < 0 {
		return 0
	}
	return int(min(i, 1<<30))
}

// resolve returns what a reference within the schema points to, or nil.
func (b *builder) resolve(ref string) any {
	path, ok := strings.CutPrefix(ref, "#")
	if !ok {
		return nil
	}
	at := b.root
	for _, token := range strings.Split(strings.TrimPrefix(path, "/"), "/") {
		if token == "" {
			continue
		}
		token = strings.NewReplacer("~1", "/", "~0", "~").Replace(token)
		m, ok := at.(map[string]any)
		if !ok {
			return nil
		}
		at = m[token]
	}
	return at
}
