package invoke

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A schema that checks each part of a value several times would take exponential time in the
// depth of the value, by whatever keyword. Such a request is refused at once.
func TestDeepValuesOfCostlySchemas(t *testing.T) {
	t.Parallel()
	object, array := strings.Repeat(`{"a":`, 40)+"1"+strings.Repeat("}", 40), strings.Repeat("[", 40)+strings.Repeat("]", 40)
	for keyword, value := range map[string]string{
		`"properties":{"a":{"$ref":"#"}}`:        object,
		`"patternProperties":{"a":{"$ref":"#"}}`: object,
		`"additionalProperties":{"$ref":"#"}`:    object,
		`"items":{"$ref":"#"}`:                   array,
		`"prefixItems":[{"$ref":"#"}]`:           array,
		`"contains":{"$ref":"#"}`:                array,
	} {
		for _, schema := range []string{`{"allOf":[{` + keyword + `},{` + keyword + `}]}`, `{"anyOf":[{"type":"boolean"},{"allOf":[{` + keyword + `},{` + keyword + `}]}]}`} {
			s, err := compile(json.RawMessage(schema))
			require.NoError(t, err, schema)
			var invalid *InvalidError
			require.ErrorAs(t, validate("q", s, json.RawMessage(value)), &invalid, schema)
			require.Contains(t, invalid.Error(), "1000000 checks", schema)
		}
		s, err := compile(json.RawMessage(`{` + keyword + `}`))
		require.NoError(t, err)
		if err := validate("q", s, json.RawMessage(value)); err != nil { // contains forbids the innermost
			require.NotContains(t, err.Error(), "checks", keyword)
		}
	}
}

// Older drafts have a keyword for conditions, whose subschemas count, too.
func TestCostlyDependencies(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString(`{"$schema":"http://json-schema.org/draft-07/schema#","allOf":[{"$ref":"#/definitions/a"}],"definitions":{`)
	for c := 'a'; c < 'z'; c++ {
		next := `{"$ref":"#/definitions/` + string(c+1) + `"}`
		b.WriteString(`"` + string(c) + `":{"dependencies":{"x":` + next + `,"y":` + next + `}},`)
	}
	b.WriteString(`"z":{}}}`)
	_, err := compile(json.RawMessage(b.String()))
	require.True(t, errors.Is(err, errTooComplex), "%v", err)
}
