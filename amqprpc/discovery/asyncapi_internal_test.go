package discovery

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestVersionsInOrder(t *testing.T) {
	t.Parallel()
	order := []string{"", "0.9", "1", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-beta.2", "1.0.0-beta.11", "1.0.0-rc.1", "1.0.0", "1.2.0", "1.10.0", "v2", "v2.0.1", "10.0.0", "99999999999999999999.0", "next"}
	for i, a := range order {
		for j, b := range order {
			require.Equal(t, i < j, compareVersions(a, b) < 0, "%q %q", a, b)
			require.Equal(t, compareVersions(a, b), -compareVersions(b, a), "%q %q", a, b)
		}
		require.Zero(t, compareVersions(a, a))
	}
	require.Zero(t, compareVersions("v1.2+build.5", "1.2"))
	shuffled := slices.Clone(order)
	slices.Reverse(shuffled)
	slices.SortFunc(shuffled, compareVersions)
	require.Equal(t, order, shuffled)
}

func TestRelocatedSchemas(t *testing.T) {
	t.Parallel()
	for _, c := range [][2]string{
		{` true `, `{}`},
		{`false`, `{"not":{}}`},
		{`{}`, `{}`},
		{`{"z":1,"a":-1.50e+3,"b":12345678901234567890,"c":"<&>\u0000","d":[null,true,{}],"e":[]}`, `{"z":1,"a":-1.50e+3,"b":12345678901234567890,"c":"<&>\u0000","d":[null,true,{}],"e":[]}`},
		{`{"$schema":"s","$id":"i","type":"object"}`, `{"type":"object"}`},
		{`{"type":"object","$id":"i"}`, `{"type":"object"}`},
		{`{"$ref":"#"}`, `{"$ref":"#/to"}`},
		{`{"$ref":"#/$defs/a"}`, `{"$ref":"#/to/$defs/a"}`},
		{`{"items":{"$ref":"#/$defs/a"},"allOf":[{"$ref":"#"}]}`, `{"items":{"$ref":"#/to/$defs/a"},"allOf":[{"$ref":"#/to"}]}`},
		{`{"$ref":"https://example.com/x#/y"}`, `{"$comment":"left out: a reference to https://example.com/x#/y"}`},
		{`{"$ref":"#anchor"}`, `{"$comment":"left out: a reference to #anchor"}`},
		{`{"$ref":""}`, `{"$comment":"left out: a reference to "}`},
		{`{"$ref":{"$ref":"#"},"a":1}`, `{"a":1}`},
		{`{"properties":{"$id":{"type":"string"},"$schema":true,"default":{"$ref":"#"},"enum":{"$ref":"#"}}}`, `{"properties":{"$id":{"type":"string"},"$schema":true,"default":{"$ref":"#/to"},"enum":{"$ref":"#/to"}}}`},
		{`{"properties":{"a":1,"$ref":{"$ref":"x"},"b":2}}`, `{"properties":{"a":1,"b":2}}`},
		{`{"properties":{"$ref":true}}`, `{"properties":{}}`},
		{`{"default":{"$id":"i","$ref":"x"},"const":"#","enum":[{"$ref":"#"}],"examples":[[{"$ref":"#"}]]}`, `{"default":{"$id":"i"},"const":"#","enum":[{}],"examples":[[{}]]}`},
		{`{"$defs":{"a":{"$id":"i","$ref":"#/$defs/b"}},"definitions":[{"$ref":"#"}],"properties":5}`, `{"$defs":{"a":{"$ref":"#/to/$defs/b"}},"definitions":[{}],"properties":5}`},
	} {
		text, err := relocated(json.RawMessage(c[0]), "#/to")
		require.NoError(t, err)
		require.Equal(t, c[1], string(text))
	}
	deep := strings.Repeat(`{"not":`, 9000) + "{}" + strings.Repeat("}", 9000)
	text, err := relocated(json.RawMessage(deep), "#/to")
	require.NoError(t, err)
	require.Equal(t, deep, string(text))
	for _, bad := range []string{"", " ", "null", "5", `"x"`, "[]", "{", `{"a":1}{}`, strings.Repeat(`{"not":`, 20000)} {
		_, err := relocated(json.RawMessage(bad), "#/to")
		require.ErrorIs(t, err, errNoSchema)
	}
}

func TestNamesInTheDocument(t *testing.T) {
	t.Parallel()
	names := uniqueNames{}
	for _, c := range [][2]string{
		{"orders", "orders"}, {"orders", "orders_2"}, {"orders_2", "orders_2_2"}, {"orders", "orders_3"}, {"a/b", "a_b"}, {"a b", "a_b_2"},
		{"", "unnamed"}, {"{}", "unnamed_2"}, {"$ref", "ref"}, {"größe", "gr_e"}, {"*shop.Order", "shop.Order"}, {"Orders", "Orders"},
	} {
		require.Equal(t, c[1], names.take(c[0]), c[0])
	}
	require.Equal(t, "shop.Page[shop.Order]", importPath.ReplaceAllString("shop.Page[github.com/x/shop.Order]", ""))
}

func FuzzRelocated(f *testing.F) {
	f.Add(`{"$defs":{"a":{"$ref":"#"}},"examples":[{"$ref":1}],"properties":{"$ref":5}}`)
	f.Fuzz(func(t *testing.T, schema string) {
		text, err := relocated(json.RawMessage(schema), "#/to")
		if err != nil {
			return
		}
		require.True(t, json.Valid(text), "%s", text)
		var parts any
		require.NoError(t, json.Unmarshal(text, &parts))
		require.NotPanics(t, func() { checkRefs(t, parts, func(ref string) { require.True(t, strings.HasPrefix(ref, "#/to"), ref) }) })
	})
}

// checkRefs calls check with every reference in v.
func checkRefs(t *testing.T, v any, check func(ref string)) {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			checkRefs(t, e, check)
		}
	case map[string]any:
		for name, e := range v {
			if name == "$ref" {
				require.IsType(t, "", e)
				check(e.(string))
			}
			checkRefs(t, e, check)
		}
	}
}
