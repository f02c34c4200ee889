package protobuf_test

import (
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/codec"
	"github.com/bbebcec1/amqprpc-go/codec/protobuf"
	"github.com/bbebcec1/amqprpc-go/codec/protobuf/internal/shop"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A message comes back as it was, whichever way it is given.
func TestRoundTrip(t *testing.T) {
	t.Parallel()
	var c protobuf.Codec
	for _, m := range []proto.Message{
		&shop.Order{Item: "té", Count: -3}, &shop.Receipt{Cents: math.MinInt64, Parts: map[string]int64{"a": 1, "": 0}},
		wrapperspb.Bytes([]byte{0, 255}), timestamppb.New(timestamppb.Now().AsTime()),
		structpb.NewListValue(&structpb.ListValue{Values: []*structpb.Value{structpb.NewNullValue(), structpb.NewNumberValue(1.5)}}),
	} {
		plain, err := proto.Marshal(m)
		require.NoError(t, err)
		for _, v := range []any{m, &m} {
			body, err := c.Marshal(v)
			require.NoError(t, err)
			require.Len(t, body, len(plain))
			got := m.ProtoReflect().New().Interface()
			require.NoError(t, c.Unmarshal(body, got))
			require.True(t, proto.Equal(m, got), "%v is not %v", got, m)
		}
	}
}

// What calls and handlers give is a pointer to a pointer, which may be nil.
func TestPointers(t *testing.T) {
	t.Parallel()
	var c protobuf.Codec
	sent := &shop.Order{Item: "tea", Count: 3}
	body, err := c.Marshal(&sent)
	require.NoError(t, err)

	var made *shop.Order
	require.NoError(t, c.Unmarshal(body, &made))
	require.True(t, proto.Equal(sent, made))
	there := &shop.Order{Item: "coffee", Count: 9}
	before := there
	require.NoError(t, c.Unmarshal(body, &there))
	require.Same(t, before, there)
	require.True(t, proto.Equal(sent, there))
	require.NoError(t, c.Unmarshal(nil, there), "an empty body is a message of zeros")
	require.True(t, proto.Equal(&shop.Order{}, there), "what it held is dropped")
	var empty *shop.Order
	require.NoError(t, c.Unmarshal([]byte{}, &empty))
	require.NotNil(t, empty)

	clear(body)
	require.Equal(t, "tea", made.Item, "the body is not kept")
}

// None is a message without fields, in both directions.
func TestNone(t *testing.T) {
	t.Parallel()
	var c protobuf.Codec
	for _, v := range []any{amqprpc.None{}, &amqprpc.None{}} {
		body, err := c.Marshal(v)
		require.NoError(t, err)
		require.NotNil(t, body)
		require.Empty(t, body)
		require.NoError(t, c.Unmarshal([]byte("\x08\x01"), v))
	}
}

func TestWrongTypes(t *testing.T) {
	t.Parallel()
	var c protobuf.Codec
	var nilOrder *shop.Order
	var nilMessage proto.Message
	type own struct{ A int }
	for name, v := range map[string]any{
		"nil": nil, "int": 1, "*int": new(int), "struct": &own{}, "string": new(string), "slice": &[]*shop.Order{},
		"any": new(any), "nil interface": &nilMessage, "nil pointer": (*own)(nil), "map": map[string]int{}, "three pointers": new(**shop.Order),
	} {
		_, err := c.Marshal(v)
		require.ErrorContains(t, err, "codec: protobuf: cannot encode", name)
		require.ErrorContains(t, err, "it is no proto.Message", name)
		err = c.Unmarshal(nil, v)
		require.ErrorContains(t, err, "codec: protobuf: cannot decode into", name)
	}
	for _, v := range []any{nilOrder, &nilOrder} {
		_, err := c.Marshal(v)
		require.ErrorContains(t, err, "the message is nil")
	}
	require.ErrorContains(t, c.Unmarshal(nil, nilOrder), "the message is nil")
}

func TestStrictness(t *testing.T) {
	t.Parallel()
	var c protobuf.Codec
	field := func(n protowire.Number, text string) []byte {
		return protowire.AppendString(protowire.AppendTag(nil, n, protowire.BytesType), text)
	}
	order := new(shop.Order)
	// Unknown fields are ignored, and kept.
	require.NoError(t, c.Unmarshal(append(field(1, "tea"), field(99, "new")...), order))
	require.Equal(t, "tea", order.Item)
	body, err := c.Marshal(order)
	require.NoError(t, err)
	require.Contains(t, string(body), "new")

	for name, data := range map[string][]byte{
		"cut short":     field(1, "tea")[:3],
		"invalid UTF-8": field(1, "\xff"),
		"a bad tag":     {0},
		"an open group": protowire.AppendTag(nil, 99, protowire.StartGroupType),
		"endless":       []byte(strings.Repeat("\xff", 20)),
	} {
		require.ErrorContains(t, c.Unmarshal(data, order), "codec: protobuf: cannot decode amqprpc.example.shop.Order: ", name)
	}
	deep := []byte{}
	for range 20_000 {
		deep = protowire.AppendTag(deep, 99, protowire.StartGroupType)
	}
	require.Error(t, c.Unmarshal(deep, order))

	_, err = c.Marshal(&shop.Order{Item: "\xff"})
	require.ErrorContains(t, err, "invalid UTF-8")
	_, err = c.Marshal(&descriptorpb.UninterpretedOption_NamePart{}) // proto2
	require.ErrorContains(t, err, "required field")
	require.ErrorContains(t, c.Unmarshal(nil, &descriptorpb.UninterpretedOption_NamePart{}), "required field")
}

// Equal messages have equal encodings, so that the same call is known again.
func TestDeterministic(t *testing.T) {
	t.Parallel()
	var first []byte
	for range 20 {
		r := &shop.Receipt{Cents: 1, Parts: map[string]int64{}}
		for _, name := range strings.Fields("a b c d e f g h i j k l m n o p") {
			r.Parts[name] = 1
		}
		body, err := protobuf.Codec{}.Marshal(&r)
		require.NoError(t, err)
		if first == nil {
			first = body
		}
		require.Equal(t, first, body)
	}
}

func TestContentTypes(t *testing.T) {
	t.Parallel()
	r, err := codec.NewRegistry(codec.JSON{}, codec.MsgPack{}, protobuf.Codec{})
	require.NoError(t, err)
	for _, name := range []string{"application/protobuf", "application/x-protobuf", "Application/Vnd.Google.Protobuf; proto=shop.Order"} {
		c, ok := r.Lookup(name)
		require.True(t, ok, name)
		require.Equal(t, protobuf.Codec{}, c)
	}
}

func FuzzUnmarshal(f *testing.F) {
	f.Add([]byte("\x0a\x03tea\x10\x03"))
	f.Fuzz(func(t *testing.T, data []byte) {
		var c protobuf.Codec
		var r, again *shop.Receipt
		if c.Unmarshal(data, &r) != nil {
			return
		}
		body, err := c.Marshal(&r)
		require.NoError(t, err)
		require.NoError(t, c.Unmarshal(body, &again))
		require.True(t, proto.Equal(r, again))
	})
}
