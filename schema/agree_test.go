package schema_test

import (
	"encoding"
	"encoding/json"
	"math"
	"math/big"
	"net"
	"net/netip"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/codec"
)

// agreement has values of one Go type, and texts for it.
type agreement struct {
	typ     reflect.Type
	values  []any    // pointers to values that the codec writes
	good    []string // texts that both the codec and the schema accept
	bad     []string // texts that both refuse
	lax     []string // texts that only the schema accepts: the first list of exceptions
	lenient []string // texts that only the codec accepts: the second list of exceptions
}

// on returns an agreement on the type T with the given values.
func on[T any](values ...T) agreement {
	a := agreement{typ: reflect.TypeFor[T](), values: []any{new(T)}}
	for i := range values {
		a.values = append(a.values, &values[i])
	}
	return a
}

func (a agreement) accept(texts ...string) agreement     { a.good = texts; return a }
func (a agreement) refuse(texts ...string) agreement     { a.bad = texts; return a }
func (a agreement) onlySchema(texts ...string) agreement { a.lax = texts; return a }
func (a agreement) onlyCodec(texts ...string) agreement  { a.lenient = texts; return a }

func (a agreement) check(t *testing.T) {
	valid := validator(t, a.typ)
	for _, v := range a.values {
		text, err := codec.JSON{}.Marshal(v)
		require.NoError(t, err)
		assert.NoError(t, valid(text), "%s", text)
	}
	for _, c := range []struct {
		texts         []string
		schema, codec bool
	}{{a.good, true, true}, {a.bad, false, false}, {a.lax, true, false}, {a.lenient, false, true}} {
		for _, text := range c.texts {
			assert.Equal(t, c.schema, valid([]byte(text)) == nil, "the schema, for %s", text)
			err := decodes(a.typ, []byte(text))
			assert.Equal(t, c.codec, err == nil, "the codec, for %s: %v", text, err)
		}
	}
}

func checkAll(t *testing.T, all []agreement) {
	for _, a := range all {
		t.Run(a.typ.String(), func(t *testing.T) {
			t.Parallel()
			a.check(t)
		})
	}
}

func TestScalarsAgree(t *testing.T) {
	t.Parallel()
	checkAll(t, []agreement{
		on(true).accept("true", "false").refuse(`"true"`, "0", "{}", "[]").onlyCodec("null"),
		on("", "tea", "\xff\x00 <&>", "größe").accept(`""`).refuse("0", "true", "{}", "[]").onlyCodec("null"),
		on(level("x")).accept(`""`).refuse("0", "[]").onlyCodec("null"),
		on(math.MinInt8, math.MaxInt8).accept("0", "-0").refuse("1.5", `"1"`, "true").onlySchema("1.0", "1e2").onlyCodec("null"),
		on[int8](math.MinInt8, math.MaxInt8).accept("127", "-128").refuse("128", "-129", "1e9", "0.1"),
		on[int16](math.MinInt16, math.MaxInt16).refuse("32768", "-32769"),
		on[int32](math.MinInt32, math.MaxInt32).refuse("2147483648", "-2147483649"),
		on[int64](math.MinInt64, math.MaxInt64).accept("9223372036854775807").refuse("9223372036854775808", "-9223372036854775809", "1e30"),
		on[uint8](math.MaxUint8).refuse("256", "-1"),
		on[uint16](math.MaxUint16).refuse("65536", "-1"),
		on[uint32](math.MaxUint32).refuse("4294967296", "-1"),
		on[uint64](math.MaxUint64).accept("18446744073709551615").refuse("18446744073709551616", "-1"),
		on[uint](math.MaxUint).accept("0").refuse("-1", "18446744073709551616"),
		on[uintptr](1).refuse("-1"),
		on(age(-3)).refuse("128"),
		on(1.5, math.MaxFloat64, -math.MaxFloat64, math.SmallestNonzeroFloat64).accept("0", "1e2", "-1.5E-3").refuse(`"1"`, "[]", "{}", "true").onlySchema("1e309").onlyCodec("null"),
		on[float32](math.MaxFloat32, -math.MaxFloat32, math.SmallestNonzeroFloat32).accept("3.4e38").refuse("3.5e38", "-1e39", `"1"`),
		on(json.Number("1"), json.Number("-1.5e300")).accept("7", "1e999").refuse("true", "[]", `"x"`).onlyCodec("null", `"1"`),
		on(digits("x")).accept(`"x"`).refuse("1"),
		on(amqprpc.None{}).accept("{}", `{"a":1}`).refuse("1", `""`, "[]").onlyCodec("null"),
		on[any](1, "x", nil, []any{1}).accept("null", "1", `"x"`, "[1]", `{"a":{}}`, "true"),
		on[encoding.TextMarshaler](celsius(1), nil).accept("null").onlySchema("1", `"1°C"`),
	})
}

func TestSpecialTypesAgree(t *testing.T) {
	t.Parallel()
	moment := time.Date(2026, 2, 28, 23, 59, 59, 999_999_999, time.FixedZone("", 5*3600+1800))
	checkAll(t, []agreement{
		on(moment, moment.UTC(), moment.Truncate(time.Second)).accept(`"2026-01-02T03:04:05Z"`, `"2026-01-02T03:04:05.1+01:00"`).
			refuse("0", `"x"`, `"2026-01-02"`, `"2026-13-02T03:04:05Z"`).onlySchema(`"2026-01-02t03:04:05z"`).onlyCodec("null"),
		on(time.Hour, math.MinInt64).accept("1").refuse(`"1h"`, "1.5", "9223372036854775808"),
		on(json.RawMessage(`{"a":[1]}`), json.RawMessage("1")).accept("null", "1", `"x"`, "[1]", "{}"),
		on(*big.NewInt(-7), *new(big.Int).Lsh(big.NewInt(1), 200)).accept("7", "123456789012345678901234567890").refuse(`"7"`, "1.5", "[]").onlyCodec("null"),
		on(big.NewInt(7)).accept("null", "1").refuse(`"7"`),
		on(big.NewFloat(1.5)).accept("null", `"1.5"`).refuse("true").onlySchema(`"x"`),
		on(big.NewRat(1, 3)).accept("null", `"1/3"`).refuse("1").onlySchema(`"x"`),
		on(netip.MustParseAddr("::1")).accept(`"1.2.3.4"`, `""`).refuse("1", "[]").onlySchema(`"x"`).onlyCodec("null"),
		on(net.IPv4(1, 2, 3, 4)).accept(`"1.2.3.4"`, `""`).refuse("1").onlySchema(`"x"`).onlyCodec("null"),
		on(celsius(36.6)).accept(`"1.5°C"`).refuse("1", "{}").onlySchema(`"warm"`).onlyCodec("null"),
		on(colour(3)).accept(`"colour 4"`).onlySchema("1", "null"),
		on(point{1, 2}).accept("[1,2]", "null").onlySchema(`"x"`),
		on(&point{1, 2}).accept("[1,2]", "null"),
		on(mark{5}).accept(`"x"`).refuse("1", "{}").onlyCodec("null"),
		on(readText(5)).accept(`"x"`).onlySchema("5"),
		on(readJSON(5)).accept(`"x"`, "5"),
		on(timed{Time: moment}).accept(`"2026-01-02T03:04:05Z"`).onlySchema("1"),
	})
}

func TestListsAndMapsAgree(t *testing.T) {
	t.Parallel()
	n := 5
	checkAll(t, []agreement{
		on([]byte{}, []byte{1}, []byte{1, 2}, []byte("tea")).accept(`""`, `"dGVh"`, `"dA=="`, "null").
			refuse(`"x"`, `"dGV"`, `"dGVh="`, `"d-Vh"`, "1", "{}").onlyCodec("[1,2]", `"dG\nVh"`),
		on(bytes2{1}, nil).accept(`"dGVh"`).refuse(`"?"`),
		on([]octet{1}, nil).accept(`"dGVh"`).refuse(`"?"`),
		on([]shade{1}, nil).accept(`["x"]`, "null").refuse("[1]").onlyCodec(`"dGVh"`),
		on([]int{}, []int{1, 2}).accept("[]", "[1]", "null").refuse("{}", `["x"]`, "[1.5]", `""`).onlyCodec("[null]"),
		on([]*int{nil, &n}).accept("[null,1]").refuse(`["x"]`),
		on([][]int{nil, {1}}).accept("[null,[]]").refuse("[1]"),
		on(names{"a"}, nil).accept("null", `["x"]`).refuse("[1]"),
		on(nested{{}, {{}, nil}}).accept("[[[]]]", "[null]").refuse("[1]", "[[{}]]"),
		on([2]int{1, 2}).accept("[3,4]").refuse(`["a","b"]`, "{}").onlyCodec("[1]", "[1,2,3]", "null"),
		on([4]byte{1}).accept("[1,2,3,4]").refuse("[1,2,3,256]", `"dGVhcw=="`),
		on(pairOf{true, false}).refuse("[1,2]"),
		on([0]int{}).accept("[]").refuse("{}"),
		on(map[string]int{"a": 1}, map[string]int{}).accept("{}", "null", `{"x":1}`).refuse(`{"x":"y"}`, "[]", "1").onlyCodec(`{"x":null}`),
		on(map[string]*int{"a": nil}).accept(`{"x":null}`),
		on(map[int]string{-1: "a"}).accept(`{"-5":"x","0":""}`).refuse(`{"x":""}`, `{"1.5":""}`, `{"1":1}`).onlyCodec(`{"007":""}`, `{"+1":""}`),
		on(map[int8]string{-1: "a"}).onlySchema(`{"300":""}`),
		on(map[uint16]string{9: "a"}).accept(`{"5":"x"}`).refuse(`{"-1":""}`),
		on(scores{"low": 1}).accept(`{"x":5}`).refuse(`{"x":500}`),
		on(byName{"a": {"b": nil}}).accept(`{"x":{"y":{}}}`).refuse(`{"x":{"y":1}}`),
		on(map[netip.Addr]int{netip.MustParseAddr("::1"): 1}).accept(`{"::2":1}`).onlySchema(`{"x":1}`),
		on(map[celsius]int{1: 1}).accept(`{"2.0°C":1}`).onlySchema(`{"2":1}`),
		on(map[string]any{"a": nil}).accept(`{"x":[{}]}`),
		// encoding/json does not call a method with a pointer receiver of a value in a map.
		on(map[string]point{"a": {1, 2}}).accept(`{"x":[1,2]}`),
		on(map[string]mark{"a": {1}}).accept(`{"x":"y"}`),
		on(map[string]holder{"a": {}}),
		on(map[string]big.Int{"a": *big.NewInt(1)}).accept(`{"x":1}`),
		on(map[string]*mark{"a": {1}, "b": nil}).accept(`{"x":"y"}`, `{"x":null}`).refuse(`{"x":1}`),
		on(map[string][]mark{"a": {{1}}}).accept(`{"x":["y"]}`).refuse(`{"x":[1]}`),
		on(holder{}).accept(`{"Marks":[{"M":"x"}]}`).refuse(`{"Marks":[{"M":1}]}`),
	})
}

func TestPointersAgree(t *testing.T) {
	t.Parallel()
	n := 5
	p := &n
	var end loop
	checkAll(t, []agreement{
		on(p, nil).accept("null", "5").refuse(`"x"`, "1.5"),
		on(&p, nil).accept("null", "5").refuse(`"x"`),
		on(&[]int{1}, nil).accept("null", "[]").refuse("[null,1.5]"),
		on(&tree{}, nil).accept("null", `{"value":1}`).refuse("1", `{"value":""}`),
		on(loop(&end)), // encoding/json never returns for other texts than null
	})
}

func TestStructsAgree(t *testing.T) {
	t.Parallel()
	n := 5
	p := &n
	checkAll(t, []agreement{
		on(tagged{}).accept(`{"Plain":"","other":"","-":"","a.b/c d":"","Invalid":"","größe":"","internal":1,"Skipped":2,"unknown":[]}`).
			refuse(`{"Plain":1}`, `{"other":1}`, `{"-":1}`, `{"a.b/c d":1}`, `{"Invalid":1}`, `{"größe":1}`, `{"Option":1}`, "[]", "1").
			onlyCodec("{}", "null"),
		on(omitting{Ptr: p, Any: 1, Slice: []int{}, Time: time.Unix(1, 0).UTC()}).
			accept("{}", `{"slice":null,"map":null,"ptr":null,"any":null}`).
			refuse(`{"bool":1}`, `{"slice":1}`, `{"struct":1}`, `{"time":1}`).onlySchema(`{"BOOL":1}`),
		on(embedding{Public: &Public{}}).
			accept(`{"id":"","Version":"","named":{"Inside":1}}`, `{"id":"","Version":"","named":{"Inside":1},"Shown":true}`, `{"id":"","Version":"","named":{"Inside":1},"Inside":""}`).
			refuse(`{"id":1}`, `{"Version":1}`, `{"Shown":1}`, `{"named":1}`, `{"named":{"Inside":""}}`),
		on(ambiguous{}).accept(`{"Won":"","Same":[]}`).refuse(`{"Won":1}`),
		on(diamond{}).accept(`{"Own":1,"id":[],"Version":[]}`).refuse(`{"Own":""}`),
		on(recursive{recursive: &recursive{}}).accept(`{"Name":""}`).refuse(`{"Name":1}`),
		on(hidden{base: &base{}}).accept("{}").refuse(`{"id":1}`).onlySchema(`{"id":""}`),
		on(tree{Children: []*tree{{}, nil}, ByName: map[string]*tree{"a": {}}}).
			accept(`{"value":1,"children":[{"value":2,"by_name":{"x":{"value":3}}}]}`).
			refuse(`{"value":1,"children":[{"value":2,"by_name":{"x":{"value":""}}}]}`),
		on(page[int]{Items: []int{1}, Next: &page[int]{}}).refuse(`{"items":[""],"first":{"A":1,"B":1}}`, `{"items":[],"first":{"A":1,"B":1},"next":{"items":1}}`),
		on(everything{Limit: big.NewInt(1), Ratio: big.NewRat(1, 2), Raw: json.RawMessage("1"), Quoted: quoted{Ptr: p, Deep: &p}}),
	})
}

// Each field of quoted, alone.
func TestQuotedFieldsAgree(t *testing.T) {
	t.Parallel()
	n := 5
	p := &n
	on(quoted{Ptr: p, Deep: &p, String: "a\"\\\n\x01<größe", Float: -1.5e300, Number: "1e5", Float32: 1e30}).check(t)
	for name, texts := range map[string][4][]string{ // good, bad, lax, lenient
		"Bool":    {{`"true"`, `"false"`}, {"true", "1", `""`, `"yes"`}, nil, {"null"}},
		"Int":     {{`"0"`, `"-5"`}, {"5", `"x"`, `""`, `"1.5"`, `"1e2"`}, {`"9223372036854775808"`}, {`"007"`}},
		"Uint":    {{`"5"`}, {"5", `"-1"`}, {`"256"`}, nil},
		"Float":   {{`"5"`, `"-1.5e-3"`}, {"5", `"x"`, `""`, `"+1"`}, {`"1e309"`}, {`"1."`}},
		"Float32": {{`"5"`}, {"5", `"x"`}, nil, nil},
		"String":  {{`"\"tea\""`, `"\"\\n\\u00ff\""`}, {"5", `"tea"`, `"\"\\x\""`, `"\"a"`}, nil, nil},
		"Named":   {{`"5"`}, {"5"}, nil, nil},
		"Ptr":     {{`"5"`, "null"}, {"5"}, nil, nil},
		"Number":  {{`"5"`, `"1.5"`}, {`"x"`}, nil, nil},
		"Wait":    {{`"5"`}, {"5", `"1h"`}, nil, nil},
		"Ignored": {{"[5]", "null"}, {`"5"`}, nil, nil},
		"Own":     {{`"\"colour 1\""`}, nil, {"1", `"colour 1"`}, nil}, // encoding/json cannot read what it writes
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, _ := reflect.TypeFor[quoted]().FieldByName(name)
			a := agreement{typ: reflect.StructOf([]reflect.StructField{f})}
			for i, to := range []*[]string{&a.good, &a.bad, &a.lax, &a.lenient} {
				for _, text := range texts[i] {
					*to = append(*to, `{"`+name+`":`+text+`}`)
				}
			}
			a.check(t)
		})
	}
}
