package amqprpc_test

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
)

// BenchmarkEnvelope encodes and decodes the body of an error.
func BenchmarkEnvelope(b *testing.B) {
	plain := amqprpc.NewError(amqprpc.CodeNotFound, errors.New("there is no order 4711"))
	detailed := plain.WithDetail("order", map[string]int{"id": 4711}).WithDetail("retry", true)
	for _, e := range []struct {
		name string
		err  *amqprpc.Error
	}{{"plain", plain}, {"details", detailed}} {
		b.Run("encode/"+e.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := json.Marshal(e.err); err != nil {
					b.Fatal(err)
				}
			}
		})
		body, err := json.Marshal(e.err)
		require.NoError(b, err)
		b.Run("decode/"+e.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				var got amqprpc.Error
				if err := json.Unmarshal(body, &got); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
