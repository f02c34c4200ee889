package schema_test

import (
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/codec"
)

// What the codec has read from any text, it writes as a valid message.
func FuzzWhatIsReadIsWrittenValid(f *testing.F) {
	types := append([]reflect.Type{reflect.TypeFor[everything](), reflect.TypeFor[map[int8]tree](), reflect.TypeFor[recursive]()}, leaves...)
	var valid []func([]byte) error
	for i, typ := range types {
		valid = append(valid, validator(f, typ))
		text, err := codec.JSON{}.Marshal(reflect.New(typ).Interface())
		require.NoError(f, err)
		f.Add(text, uint8(i))
	}
	f.Add([]byte(`{"ID":"x","Took":1,"data":"dGVh","index":{"007":["a"]},"page":{"items":null,"next":{"items":[{"A":"","B":true}]}},"nested":[[],null]}`), uint8(0))
	f.Add([]byte(`{"-1":{"value":1,"children":[null,{"by_name":{"x":{}}}]}}`), uint8(1))
	f.Fuzz(func(t *testing.T, text []byte, which uint8) {
		i := int(which) % len(types)
		v := reflect.New(types[i]).Interface()
		if (codec.JSON{}).Unmarshal(text, v) != nil {
			return
		}
		written, err := codec.JSON{}.Marshal(v)
		if err != nil {
			return // such as the year 10000
		}
		require.NoError(t, valid[i](written), "%v: %s", types[i], written)
	})
}
