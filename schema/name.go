package schema

import (
	"bytes"
	"encoding/json"
	"path"
	"reflect"
	"regexp"
	"strconv"
	"strings"

	"github.com/invopop/jsonschema"
)

var (
	qualifier = regexp.MustCompile(`[^\s\[\]{}()*,]*[/.]`)
	strange   = regexp.MustCompile(`[^A-Za-z0-9_]+`)
)

// name returns a name for the definition of t that no other type has: the name of the type,
// with its package or a number if that is taken. Page[shop.Order] is Page_Order.
func (b *builder) name(t reflect.Type) string {
	plain := strings.Trim(strange.ReplaceAllString(qualifier.ReplaceAllString(t.Name(), ""), "_"), "_")
	if plain == "" {
		plain = "Unnamed"
	}
	name := plain
	if _, taken := b.defs[name]; taken {
		name = strange.ReplaceAllString(path.Base(t.PkgPath()), "_") + "." + plain
	}
	for n := 2; ; n++ {
		if _, taken := b.defs[name]; !taken {
			return name
		}
		name = plain + strconv.Itoa(n)
	}
}

// rebased returns s for a place in another document, whose reference is base.
func rebased(s *jsonschema.Schema, base string) *jsonschema.Schema {
	text, err := json.Marshal(s)
	if err != nil || !bytes.Contains(text, []byte(`"$ref"`)) {
		return s // Of reports the error
	}
	var members map[string]any
	numbers := json.NewDecoder(bytes.NewReader(text))
	numbers.UseNumber()
	if numbers.Decode(&members) != nil {
		return s // a boolean
	}
	rebase(members, base)
	return &jsonschema.Schema{Extras: members}
}

// rebase changes the references in the schema v, and in the schemas in it.
func rebase(v any, base string) {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			rebase(e, base)
		}
	case map[string]any:
		for keyword, e := range v {
			switch keyword {
			case "$ref":
				if ref, ok := e.(string); ok && strings.HasPrefix(ref, "#") {
					v[keyword] = base + ref[1:]
				}
			case "enum", "const", "default", "examples": // values, not schemas
			case "properties", "patternProperties", "dependentSchemas", "$defs", "definitions": // schemas by their names
				if named, ok := e.(map[string]any); ok {
					for _, s := range named {
						rebase(s, base)
					}
				}
			default:
				rebase(e, base)
			}
		}
	}
}
