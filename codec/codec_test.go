package codec_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/bbebcec1/amqprpc-go/codec"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestTrailingBytes(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		codec codec.Codec
		body  string
	}{
		"json":    {codec.JSON{}, `{"a":1} x`},
		"msgpack": {codec.MsgPack{}, "\x81\xa1a\x01\xc0"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var v struct{ A int }
			require.Error(t, tt.codec.Unmarshal([]byte(tt.body), &v))
		})
	}
}
