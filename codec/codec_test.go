package codec_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/bbebcec1/amqprpc-go/codec"
)

func TestMain(m *testing.M) {
	// msgpack starts a goroutine for each struct type that is embedded as a pointer. The
	// goroutine makes values ahead of time.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/vmihailenco/msgpack/v5.cachedValue.func1"))
}

// both runs a test with each codec. Most promises are the same for both.
func both(t *testing.T, test func(t *testing.T, c codec.Codec)) {
	for _, c := range []codec.Codec{codec.JSON{}, codec.MsgPack{}} {
		t.Run(shortName(c), func(t *testing.T) {
			t.Parallel()
			test(t, c)
		})
	}
}

func ptr[T any](v T) *T { return &v }
