package protobuf_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/codec"
	"github.com/bbebcec1/amqprpc-go/codec/protobuf"
	"github.com/bbebcec1/amqprpc-go/codec/protobuf/internal/shop"
)

// The price of a message of about 1 KiB, as a call encodes and decodes it, against JSON and
// MessagePack of a struct with the same fields.
func BenchmarkCodec(b *testing.B) {
	type order struct {
		Item  string `json:"item"`
		Count int32  `json:"count"`
	}
	type receipt struct {
		Cents  int64   `json:"cents"`
		Orders []order `json:"orders"`
	}
	message, twin := &shop.Receipt{Cents: 12345}, &receipt{Cents: 12345}
	for i := range int32(30) {
		item := fmt.Sprintf("tea, green, number %d", i)
		message.Orders = append(message.Orders, &shop.Order{Item: item, Count: i * 100})
		twin.Orders = append(twin.Orders, order{item, i * 100})
	}
	run := func(name string, c codec.Codec, v any, fresh func() any) {
		body, err := c.Marshal(v)
		require.NoError(b, err)
		b.Run(name+"/encode", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				c.Marshal(v)
			}
			b.ReportMetric(float64(len(body)), "bytes")
		})
		b.Run(name+"/decode", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := c.Unmarshal(body, fresh()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	run("protobuf", protobuf.Codec{}, &message, func() any { return new(*shop.Receipt) })
	run("json", codec.JSON{}, twin, func() any { return new(receipt) })
	run("msgpack", codec.MsgPack{}, twin, func() any { return new(receipt) })
}
