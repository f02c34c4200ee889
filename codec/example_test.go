package codec_test

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"math"
	"strings"

	"github.com/bbebcec1/amqprpc-go/codec"
)

// table is a message that both sides exchange as CSV.
type table [][]string

// csvCodec is a user's own codec. It needs three methods, and a fourth for the format's other
// names.
type csvCodec struct{}

func (csvCodec) ContentType() string { return "text/csv" }

func (csvCodec) Aliases() []string { return []string{"application/csv"} }

func (csvCodec) Marshal(v any) ([]byte, error) {
	t, ok := v.(table)
	if !ok {
		return nil, fmt.Errorf("csv: cannot encode %T", v)
	}
	var buf bytes.Buffer
	err := csv.NewWriter(&buf).WriteAll(t)
	return buf.Bytes(), err
}

func (csvCodec) Unmarshal(data []byte, v any) error {
	t, ok := v.(*table)
	if !ok {
		return fmt.Errorf("csv: cannot decode into %T", v)
	}
	records, err := csv.NewReader(bytes.NewReader(data)).ReadAll()
	*t = records
	return err
}

// A user's own codec in a registry beside the codecs of this package.
func Example() {
	registry, err := codec.NewRegistry(codec.JSON{}, codec.MsgPack{}, csvCodec{})
	if err != nil {
		fmt.Println(err)
		return
	}
	c, ok := registry.Lookup("application/csv; header=present")
	if !ok {
		fmt.Println("accepted:", strings.Join(registry.ContentTypes(), ", "))
		return
	}
	body, err := c.Marshal(table{{"city", "rain"}, {"Bergen", "2250"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(string(body))

	var t table
	fmt.Println(c.Unmarshal(body, &t), t[1][0])

	// Output:
	// city,rain
	// Bergen,2250
	// <nil> Bergen
}

func ExampleRegistry_Lookup() {
	registry, err := codec.NewRegistry(codec.JSON{}, codec.MsgPack{})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, contentType := range []string{"application/json", "Application/JSON; charset=utf-8", "application/x-msgpack", "text/xml"} {
		if c, ok := registry.Lookup(contentType); ok {
			fmt.Printf("%T\n", c)
		} else {
			fmt.Printf("%q is none of %s\n", contentType, strings.Join(registry.ContentTypes(), ", "))
		}
	}
	// Output:
	// codec.JSON
	// codec.JSON
	// codec.MsgPack
	// "text/xml" is none of application/json, application/msgpack
}

func ExampleRegistry_Default() {
	registry, err := codec.NewRegistry(codec.MsgPack{}, codec.JSON{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(registry.Default().ContentType())
	// Output: application/msgpack
}

func ExampleNewRegistry() {
	_, err := codec.NewRegistry(codec.JSON{}, codec.JSON{UseNumber: true})
	fmt.Println(err)
	// Output: codec: registry: codec.JSON and codec.JSON both claim content type "application/json"
}

func ExampleMsgPack() {
	type reading struct {
		Sensor  string  `json:"sensor"`
		Celsius float64 `json:"celsius"`
		Battery int8    `json:"battery,omitempty"`
	}
	body, err := codec.MsgPack{}.Marshal(reading{Sensor: "roof", Celsius: 21.5})
	fmt.Printf("%q %v\n", body, err)

	var r reading
	err = codec.MsgPack{}.Unmarshal(body, &r)
	fmt.Printf("%+v %v\n", r, err)

	body, err = codec.MsgPack{}.Marshal(map[string]int{"battery": 300})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(codec.MsgPack{}.Unmarshal(body, &r))

	// Output:
	// "\x82\xa6sensor\xa4roof\xa7celsius\xcb@5\x80\x00\x00\x00\x00\x00" <nil>
	// {Sensor:roof Celsius:21.5 Battery:0} <nil>
	// codec: msgpack: field "battery": 300 is not from -128 to 127
}

func ExampleMsgPack_useNumber() {
	body, err := codec.MsgPack{}.Marshal([]any{1, uint64(math.MaxUint64)})
	if err != nil {
		fmt.Println(err)
		return
	}
	var v []any
	fmt.Println(codec.MsgPack{}.Unmarshal(body, &v))
	fmt.Printf("%T %v, %T %v\n", v[0], v[0], v[1], v[1])

	fmt.Println(codec.MsgPack{UseNumber: true}.Unmarshal(body, &v))
	fmt.Printf("%T %v, %T %v\n", v[0], v[0], v[1], v[1])

	// Output:
	// <nil>
	// float64 1, uint64 18446744073709551615
	// <nil>
	// json.Number 1, json.Number 18446744073709551615
}

func ExampleJSON() {
	type greeting struct {
		Text string `json:"text"`
		Age  int8   `json:"age"`
	}
	body, err := codec.JSON{}.Marshal(greeting{Text: "<hello>", Age: 42})
	fmt.Printf("%s %v\n", body, err)

	var g greeting
	fmt.Println(codec.JSON{}.Unmarshal([]byte(`{"text": "hi", "age": 300}`), &g))
	fmt.Println(codec.JSON{}.Unmarshal([]byte(`{"text": "hi"} {}`), &g))
	fmt.Println(codec.JSON{DisallowUnknownFields: true}.Unmarshal([]byte(`{"name": "Ada"}`), &g))

	// Output:
	// {"text":"<hello>","age":42} <nil>
	// codec: json: field "age": 300 is not from -128 to 127
	// codec: json: invalid character '{' after top-level value (at byte 16)
	// codec: json: unknown field "name"
}
