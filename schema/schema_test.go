package schema_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
	"unsafe"

	"github.com/invopop/jsonschema"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/schema"
	other "github.com/bbebcec1/amqprpc-go/schema/internal/order"
)

const draft = `{"$schema":"https://json-schema.org/draft/2020-12/schema",`

type note struct {
	Text   string         `json:"text" jsonschema:"title=A note,description=what to say\\, briefly,minLength=1,pattern=^[a-z]+$,example=tea,default=x"`
	Stars  *int           `json:"stars,omitempty" jsonschema:"description=how good,minimum=1,maximum=5"`
	Tags   []level        `json:"tags" jsonschema:"enum=a,enum=b,maxItems=3"`
	At     part           `json:"at" jsonschema:"description=where"`
	Other  *part          `json:"other,omitempty" jsonschema:"description=where else"`
	Plain  part           `json:"plain"`
	Shade  string         `json:"shade" jsonschema:"nullable,enum=light,enum=dark"`
	Hidden int            `json:"hidden" jsonschema:"-"`
	More   any            `json:"more,omitempty" jsonschema:"required" jsonschema_description:"anything" jsonschema_extras:"x-more=yes"`
	Wait   *time.Time     `json:"wait" jsonschema:"oneof_required=timed"`
	Took   time.Duration  `json:"took,omitempty"`
	Left   *time.Duration `json:"left,omitempty" jsonschema:"description=how long,minimum=0"`
}

type part struct {
	X int8 `json:"x"`
}

// What the tags of fields say is in the schema.
func TestTags(t *testing.T) {
	t.Parallel()
	require.JSONEq(t, draft+`
		"type": "object",
		"properties": {
			"text": {"type":"string","title":"A note","description":"what to say, briefly","minLength":1,"pattern":"^[a-z]+$","examples":["tea"],"default":"x"},
			"stars": {"anyOf":[{"type":"integer","minimum":1,"maximum":5},{"type":"null"}],"description":"how good"},
			"tags": {"anyOf":[{"type":"array","items":{"type":"string","enum":["a","b"]},"maxItems":3},{"type":"null"}]},
			"at": {"allOf":[{"$ref":"#/$defs/part"}],"description":"where"},
			"other": {"anyOf":[{"$ref":"#/$defs/part"},{"type":"null"}],"description":"where else"},
			"plain": {"$ref":"#/$defs/part"},
			"shade": {"anyOf":[{"type":"string","enum":["light","dark"]},{"type":"null"}]},
			"more": {"description":"anything","x-more":"yes"},
			"wait": {"anyOf":[{"type":"string","format":"date-time"},{"type":"null"}]},
			"took": {"type":"integer","minimum":-9223372036854775808,"maximum":9223372036854775807,"description":"nanoseconds"},
			"left": {"anyOf":[{"type":"integer","minimum":0,"maximum":9223372036854775807},{"type":"null"}],"description":"how long"}
		},
		"oneOf": [{"title":"timed","required":["wait"]}],
		"required": ["text","tags","at","plain","shade","more","wait"],
		"additionalProperties": true,
		"$defs": {"part": {"type":"object","properties":{"x":{"type":"integer","minimum":-128,"maximum":127}},"required":["x"],"additionalProperties":true}}
	}`, of[note](t))
}

// Properties are in the order of the fields.
func TestOrderOfProperties(t *testing.T) {
	t.Parallel()
	text := of[note](t)
	at := -1
	for _, name := range []string{"text", "stars", "tags", "at", "other", "plain", "shade", "more", "wait", "took"} {
		i := strings.Index(text, `"`+name+`":{`)
		require.Greater(t, i, at, name)
		at = i
	}
}

func TestRecursiveTypes(t *testing.T) {
	t.Parallel()
	require.JSONEq(t, draft+`
		"type": "object",
		"properties": {
			"value": {"type":"integer","minimum":-9223372036854775808,"maximum":9223372036854775807},
			"children": {"anyOf":[{"type":"array","items":{"anyOf":[{"$ref":"#"},{"type":"null"}]}},{"type":"null"}]},
			"by_name": {"anyOf":[{"type":"object","additionalProperties":{"anyOf":[{"$ref":"#"},{"type":"null"}]}},{"type":"null"}]}
		},
		"required": ["value"],
		"additionalProperties": true
	}`, of[tree](t))
	require.JSONEq(t, draft+`"anyOf":[{"type":"array","items":{"$ref":"#"}},{"type":"null"}]}`, of[nested](t))
}

// A named type is a definition with a name of its own.
func TestNamesOfDefinitions(t *testing.T) {
	t.Parallel()
	local := func() any {
		type part struct{ Local bool }
		return part{}
	}()
	for _, c := range []struct {
		typ   reflect.Type
		names []string
	}{
		{reflect.TypeFor[struct{ A part }](), []string{"part"}},
		{reflect.TypeFor[struct{ A page[part] }](), []string{"page_part", "pair_part_part", "part"}},
		{reflect.TypeFor[struct{ A page[map[string]*part] }](), []string{"page_map_string_part", "pair_map_string_part_map_string_part", "part"}},
		{reflect.TypeFor[struct{ A pair[other.Order, int] }](), []string{"Order", "pair_Order_int"}},
		{reflect.StructOf([]reflect.StructField{{Name: "A", Type: reflect.TypeFor[part]()}, {Name: "B", Type: reflect.TypeFor[other.Part]()}}), []string{"Part", "part"}},
		{reflect.StructOf([]reflect.StructField{{Name: "A", Type: reflect.TypeFor[Order]()}, {Name: "B", Type: reflect.TypeFor[other.Order]()}}), []string{"Order", "order.Order"}},
		{reflect.StructOf([]reflect.StructField{{Name: "A", Type: reflect.TypeFor[part]()}, {Name: "B", Type: reflect.TypeOf(local)}}), []string{"part", "schema_test.part"}},
		{reflect.TypeFor[struct{ A größe }](), []string{"gr_e"}},
		{reflect.TypeFor[struct{ A *tree }](), []string{"tree"}},
	} {
		text, err := schema.Of(c.typ)
		require.NoError(t, err)
		var doc struct {
			Defs map[string]json.RawMessage `json:"$defs"`
		}
		require.NoError(t, json.Unmarshal(text, &doc))
		var names []string
		for name := range doc.Defs {
			names = append(names, name)
			require.Regexp(t, `^[A-Za-z0-9._]+$`, name)
		}
		require.ElementsMatch(t, c.names, names, "%v", c.typ)
		validator(t, c.typ)
	}
}

type größe struct{ N int }

// Order has the same name as the type of another package.
type Order struct{ Item string }

func TestTypesThatJSONCannotEncode(t *testing.T) {
	t.Parallel()
	for path, typ := range map[string]reflect.Type{
		"schema: func(): JSON cannot encode the type func()":                           reflect.TypeFor[func()](),
		"schema: complex64: JSON cannot encode the type complex64":                     reflect.TypeFor[complex64](),
		"schema: unsafe.Pointer: JSON cannot encode the type unsafe.Pointer":           reflect.TypeFor[unsafe.Pointer](),
		"schema: []chan int[]: JSON cannot encode the type chan int":                   reflect.TypeFor[[]chan int](),
		"schema: map[bool]int: JSON cannot encode the type map[bool]int":               reflect.TypeFor[map[bool]int](),
		"schema: schema_test.broken.Parts[][].Callback: JSON cannot encode the type":   reflect.TypeFor[broken](),
		"schema: *schema_test.broken.Parts[][].Callback: JSON cannot encode the type":  reflect.TypeFor[*broken](),
		"schema: schema_test.panics.A: panic: no tea":                                  reflect.TypeFor[panics](),
		"schema: schema_test.page[func()].Items[]: JSON cannot encode the type func()": reflect.TypeFor[page[func()]](),
		"schema: schema_test.stranger.At: JSON cannot encode the type map[[1]int]bool": reflect.TypeFor[stranger](),
		"schema: schema_test.mapped.M[]: JSON cannot encode the type func()":           reflect.TypeFor[mapped](),
	} {
		text, err := schema.Of(typ)
		require.Error(t, err)
		require.True(t, strings.HasPrefix(err.Error(), path), "%v", err)
		require.Nil(t, text)
	}
	_, err := schema.Of(nil)
	require.EqualError(t, err, "schema: there is no type")
}

type broken struct {
	Fine  int
	Parts []map[string]struct{ Callback func(int) }
}

type stranger struct{ At map[[1]int]bool }

type mapped struct{ M map[string]func() }

type panics struct{ A panicking }

type panicking struct{}

func (panicking) JSONSchema() *jsonschema.Schema { panic(errors.New("no tea")) }

// money describes itself, with a definition of its own and a foreign ID.
type money struct{}

func (money) MarshalJSON() ([]byte, error) { return []byte(`{"amount":"1.50","currency":"EUR"}`), nil }

func (money) JSONSchema() *jsonschema.Schema {
	s := jsonschema.Reflect(struct {
		Amount   string         `json:"amount"`
		Currency other.Currency `json:"currency" jsonschema:"default=#"`
		Rate     *other.Order   `json:"rate,omitempty"`
		Default  *other.Order   `json:"default,omitempty"` // a name that is also a keyword
	}{})
	s.ID = "https://example.com/money"
	return s
}

// short gives itself a schema without references.
type short string

func (*short) JSONSchema() *jsonschema.Schema {
	max := uint64(3)
	return &jsonschema.Schema{Type: "string", MaxLength: &max}
}

type silent struct{ A int }

func (silent) JSONSchema() *jsonschema.Schema { return nil }

type extended struct{ A int }

func (extended) JSONSchemaExtend(s *jsonschema.Schema) { s.Title = "extended" }

type price struct {
	Money  money    `json:"money"`
	Again  *money   `json:"again,omitempty" jsonschema:"description=as before"`
	Short  short    `json:"short"`
	Silent silent   `json:"silent"`
	More   extended `json:"more"`
}

// A type may say more about its schema by methods. References within such a schema go to its
// new place.
func TestTypesThatDescribeThemselves(t *testing.T) {
	t.Parallel()
	text := of[price](t)
	require.NotContains(t, text, "$id")
	require.NotContains(t, text, "example.com")
	require.Equal(t, 1, strings.Count(text, "$schema"))
	require.Contains(t, text, `"title":"extended"`)
	require.Contains(t, text, `"#/$defs/money/$defs/Order"`)
	require.Contains(t, text, `"default":"#"`)

	valid := validator(t, reflect.TypeFor[price]())
	require.NoError(t, valid([]byte(`{"money":{"amount":"1.50","currency":"EUR"},"short":"abc","silent":[],"more":{"A":1}}`)))
	require.Error(t, valid([]byte(`{"money":{"amount":1,"currency":"EUR"},"short":"abc","silent":[],"more":{"A":1}}`)))
	require.Error(t, valid([]byte(`{"money":{"amount":"1.50","currency":"EUR","rate":{"Item":1}},"short":"abc","silent":[],"more":{"A":1}}`)))
	require.Error(t, valid([]byte(`{"money":{"amount":"1.50","currency":"EUR","default":{"Item":1}},"short":"abc","silent":[],"more":{"A":1}}`)))
	require.Error(t, valid([]byte(`{"money":{"amount":"1.50","currency":"EUR"},"short":"abcd","silent":[],"more":{"A":1}}`)))

	root := of[money](t)
	require.NotContains(t, root, "$id")
	require.Contains(t, root, `"#/$defs/Order"`)
	require.Error(t, validator(t, reflect.TypeFor[money]())([]byte(`{"amount":"1.50","currency":"EUR","rate":{"Item":1}}`)))
	require.Equal(t, draft+`"type":"string","maxLength":3}`, of[short](t))
}

// A schema refers to itself only, and is the same each time, also if several goroutines ask.
func TestSchemasStandAlone(t *testing.T) {
	t.Parallel()
	refs := regexp.MustCompile(`"\$(?:ref|id)":"([^"]*)"`)
	for _, typ := range append(leaves, reflect.TypeFor[everything](), reflect.TypeFor[note](), reflect.TypeFor[price]()) {
		first, err := schema.Of(typ)
		require.NoError(t, err)
		require.True(t, strings.HasPrefix(string(first), strings.TrimSuffix(draft, ",")), "%s", first)
		for _, m := range refs.FindAllStringSubmatch(string(first), -1) {
			require.True(t, strings.HasPrefix(m[1], "#"), m[1])
		}
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				again, err := schema.Of(typ)
				assert.NoError(t, err)
				assert.Equal(t, string(first), string(again))
			})
		}
		all.Wait()
	}
}
