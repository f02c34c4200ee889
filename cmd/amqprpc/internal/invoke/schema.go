package invoke

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// A schema comes from a stranger. These bounds are far above those of real ones.
const (
	maxSchema     = 1 << 20 // bytes
	maxSchemaCost = 10_000  // subschemas that one value may be checked against
)

var (
	errNoSchema   = errors.New("the server has no schema of the requests")
	errReference  = errors.New("a schema may refer only to itself")
	errTooLarge   = fmt.Errorf("the schema has more than %d bytes", maxSchema)
	errTooComplex = fmt.Errorf("the schema checks one value against more than %d others", maxSchemaCost)
)

// compile returns the validator of a schema.
func compile(schema json.RawMessage) (s *jsonschema.Schema, err error) {
	if len(schema) == 0 {
		return nil, errNoSchema
	}
	if len(schema) > maxSchema {
		return nil, errTooLarge
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(schema))
	if err != nil {
		return nil, fmt.Errorf("the schema is not JSON: %w", err)
	}
	defer func() {
		if p := recover(); p != nil { // a library that reads what strangers write
			s, err = nil, fmt.Errorf("the schema cannot be read: %v", p)
		}
	}()
	c := jsonschema.NewCompiler()
	c.UseLoader(noLoader{})
	const url = "amqprpc:schema"
	if err := c.AddResource(url, doc); err != nil {
		return nil, fmt.Errorf("the schema cannot be used: %w", err)
	}
	if s, err = c.Compile(url); err != nil {
		return nil, fmt.Errorf("the schema cannot be used: %w", err)
	}
	if cost(s, make(map[*jsonschema.Schema]int)) > maxSchemaCost {
		return nil, errTooComplex
	}
	return s, nil
}

// noLoader keeps a schema from reading files and addresses.
type noLoader struct{}

func (noLoader) Load(string) (any, error) { return nil, errReference }

// cost returns how many subschemas are applied to one value, up to a bound. Shared subschemas
// can make it exponential in the size of the schema.
func cost(s *jsonschema.Schema, known map[*jsonschema.Schema]int) int {
	if s == nil {
		return 0
	}
	if c, ok := known[s]; ok {
		return c
	}
	known[s] = 1 // a cycle ends here, as the validator ends it
	n := 1
	for _, sub := range applied(s) {
		if n += cost(sub, known); n > maxSchemaCost {
			break
		}
	}
	known[s] = n
	return n
}

// applied returns the subschemas that check the same value as s.
func applied(s *jsonschema.Schema) []*jsonschema.Schema {
	subs := []*jsonschema.Schema{s.Ref, s.RecursiveRef, s.Not, s.If, s.Then, s.Else}
	if s.DynamicRef != nil {
		subs = append(subs, s.DynamicRef.Ref)
	}
	for _, list := range [][]*jsonschema.Schema{s.AllOf, s.AnyOf, s.OneOf} {
		subs = append(subs, list...)
	}
	for _, sub := range s.DependentSchemas {
		subs = append(subs, sub)
	}
	for _, either := range s.Dependencies { // of older drafts
		if sub, ok := either.(*jsonschema.Schema); ok {
			subs = append(subs, sub)
		}
	}
	return subs
}
