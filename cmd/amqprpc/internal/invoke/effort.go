package invoke

import "github.com/santhosh-tekuri/jsonschema/v6"

// maxEffort is how many checks of subschemas one request may need.
const maxEffort = 1_000_000

// part is a value within a request, and what is known about checking it.
type part struct {
	value any
	known map[*jsonschema.Schema]int
	inner map[any]*part // by key or index
}

func (p *part) at(key, value any) *part {
	if p.inner == nil {
		p.inner = make(map[any]*part)
	}
	if p.inner[key] == nil {
		p.inner[key] = &part{value: value}
	}
	return p.inner[key]
}

// effort returns how many checks of subschemas the validator needs for a value, up to a bound.
// It may be exponential in the depth of the value, but counting is not.
func effort(s *jsonschema.Schema, p *part) int {
	if s == nil {
		return 0
	}
	if n, ok := p.known[s]; ok {
		return n
	}
	if p.known == nil {
		p.known = make(map[*jsonschema.Schema]int)
	}
	p.known[s] = 1 // a cycle ends here, as the validator ends it
	n := 1
	for _, sub := range applied(s) {
		n = min(n+effort(sub, p), maxEffort+1)
	}
	switch v := p.value.(type) {
	case map[string]any:
		for key, value := range v {
			for _, sub := range append(ofAnyProperty(s), s.Properties[key]) {
				n = min(n+effort(sub, p.at(key, value)), maxEffort+1)
			}
		}
	case []any:
		every, each := ofItems(s)
		for i, value := range v {
			subs := every
			if i < len(each) {
				subs = append(every[:len(every):len(every)], each[i])
			}
			for _, sub := range subs {
				n = min(n+effort(sub, p.at(i, value)), maxEffort+1)
			}
		}
	}
	p.known[s] = n
	return n
}

// ofAnyProperty returns the subschemas of properties that are not named.
func ofAnyProperty(s *jsonschema.Schema) []*jsonschema.Schema {
	additional, _ := s.AdditionalProperties.(*jsonschema.Schema) // a bool checks nothing
	subs := []*jsonschema.Schema{additional, s.UnevaluatedProperties}
	for _, sub := range s.PatternProperties {
		subs = append(subs, sub)
	}
	return subs
}

// ofItems returns the subschemas of every item, and those of the first ones.
func ofItems(s *jsonschema.Schema) (every, each []*jsonschema.Schema) {
	additional, _ := s.AdditionalItems.(*jsonschema.Schema)
	items, _ := s.Items.(*jsonschema.Schema)
	tuple, _ := s.Items.([]*jsonschema.Schema)
	return []*jsonschema.Schema{additional, items, s.Items2020, s.Contains, s.UnevaluatedItems}, append(tuple[:len(tuple):len(tuple)], s.PrefixItems...)
}
