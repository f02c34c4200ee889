package template_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc/describe"
	"github.com/bbebcec1/amqprpc-go/cmd/amqprpc/internal/invoke"
	"github.com/bbebcec1/amqprpc-go/cmd/amqprpc/internal/template"
)

func TestOf(t *testing.T) {
	t.Parallel()
	for schema, want := range map[string]string{
		`{"type":"object","properties":{"a":{"type":"string"},"b":{"type":"integer","minimum":3},"c":{"type":"boolean"}}}`: `{"a":"","b":3,"c":false}`,
		`{"type":"integer"}`:                                                                          `0`,
		`{"type":"number","exclusiveMinimum":0}`:                                                      `1`,
		`{"type":"integer","maximum":-5}`:                                                             `-5`,
		`{"type":["null","string"],"format":"date-time"}`:                                             `"2026-01-02T15:04:05Z"`,
		`{"enum":["red","green"]}`:                                                                    `"red"`,
		`{"type":"string","default":"x"}`:                                                             `"x"`,
		`{"type":"string","minLength":3}`:                                                             `"xxx"`,
		`{"type":"array","items":{"type":"integer"},"minItems":2}`:                                    `[0,0]`,
		`{"prefixItems":[{"type":"string"},{"type":"integer"}],"type":"array"}`:                       `["",0]`,
		`{"$ref":"#/$defs/x~1y","$defs":{"x/y":{"type":"boolean"}}}`:                                  `false`,
		`{"oneOf":[{"type":"null"},{"type":"string"}]}`:                                               `""`,
		`{"allOf":[{"properties":{"a":{"type":"integer"}}},{"properties":{"b":{"type":"boolean"}}}]}`: `{"a":0,"b":false}`,
		`{"type":"string","contentEncoding":"base64"}`:                                                `"AAAA"`,
	} {
		got, known := template.Of(describe.Message{Schema: json.RawMessage(schema)})
		require.True(t, known)
		require.JSONEq(t, want, string(got), schema)
		m, err := invoke.Of(describe.Method{Queue: "q", Request: describe.Message{Schema: json.RawMessage(schema)}})
		require.NoError(t, err)
		require.NoError(t, m.Unchecked())
		require.NoError(t, m.Validate(got), "a template fits its schema: %s", schema)
	}
	got, known := template.Of(describe.Message{Example: json.RawMessage(`{"item":"tea"}`), Schema: json.RawMessage(`{"type":"string"}`)})
	require.True(t, known)
	require.JSONEq(t, `{"item":"tea"}`, string(got))
	got, known = template.Of(describe.Message{})
	require.False(t, known)
	require.Equal(t, "{}", string(got))
}

// Whatever the schema is, the template is JSON, small, and made soon.
func TestHostileSchemas(t *testing.T) {
	t.Parallel()
	wide := `{"properties":{` + strings.Repeat(`"a":{"$ref":"#"},"b":{"$ref":"#"},"c":{"type":"array","items":{"$ref":"#"}},`, 3) + `"d":{}}}`
	for _, schema := range []string{
		`{`, `[]`, `7`, `null`, `true`, `{"$ref":"#"}`, `{"$ref":"#/a/b"}`, `{"$ref":"http://x/"}`, `{"$ref":7}`, wide,
		`{"allOf":[{"$ref":"#"},{"$ref":"#"}]}`, `{"type":"array","items":{"$ref":"#"},"minItems":1000000}`,
		`{"type":"string","minLength":1e30}`, `{"type":[1,2]}`, `{"oneOf":[]}`, `{"enum":[]}`, `{"minimum":1e400,"type":"number"}`,
		`{"type":"object","properties":7}`, `{"type":"object","required":7,"properties":{"a":7}}`, `{"type":"array","prefixItems":[7,7]}`,
		strings.Repeat(`{"allOf":[`, 3000) + `7` + strings.Repeat(`]}`, 3000),
	} {
		got, _ := template.Of(describe.Message{Schema: json.RawMessage(schema)})
		require.True(t, json.Valid(got), schema)
		require.Less(t, len(got), 100_000)
	}
	for _, example := range []string{`{`, ``, `{}{}`} {
		got, known := template.Of(describe.Message{Example: json.RawMessage(example)})
		require.False(t, known)
		require.Equal(t, "{}", string(got))
	}
}
