package schema_test

import (
	"bytes"
	"reflect"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/bbebcec1/amqprpc-go/codec"
	"github.com/bbebcec1/amqprpc-go/schema"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// of returns the schema of T as JSON.
func of[T any](t testing.TB) string {
	t.Helper()
	text, err := schema.Of(reflect.TypeFor[T]())
	require.NoError(t, err)
	return string(text)
}

// validator returns the function that validates JSON against the schema of typ.
func validator(t testing.TB, typ reflect.Type) func(text []byte) error {
	t.Helper()
	text, err := schema.Of(typ)
	require.NoError(t, err)
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	require.NoError(t, err)
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	require.NoError(t, c.AddResource("schema.json", doc))
	s, err := c.Compile("schema.json")
	require.NoError(t, err, "%s", text)
	return func(text []byte) error {
		v, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
		if err != nil {
			return err
		}
		return s.Validate(v)
	}
}

// decodes reports whether the codec reads text as a typ.
func decodes(typ reflect.Type, text []byte) error {
	return codec.JSON{}.Unmarshal(text, reflect.New(typ).Interface())
}
