package compress_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/compress"
)

// orders is a list of records in JSON, of about size bytes.
func orders(size int) []byte {
	type order struct {
		ID, Customer, Item string
		Count, Cents       int
		Paid               bool
	}
	var all []order
	for i := range size / 110 {
		all = append(all, order{fmt.Sprintf("%08x", uint32(i)*2654435761), fmt.Sprintf("customer %d", i%97), "tea, green, 250 g", i % 7, i * 37 % 9973, i%3 == 0})
	}
	b, _ := json.Marshal(all)
	return b
}

func BenchmarkGzip(b *testing.B) {
	for _, size := range []int{1 << 10, 16 << 10, 1 << 20} {
		body := orders(size)
		for _, level := range []int{1, 6} {
			g := compress.Gzip{Level: level}
			packed := g.Compress(nil, body)
			name := fmt.Sprintf("size=%d/level=%d", size, level)
			b.Run(name+"/compress", func(b *testing.B) {
				b.SetBytes(int64(len(body)))
				b.ReportAllocs()
				for b.Loop() {
					g.Compress(make([]byte, 0, len(body)/2), body)
				}
				b.ReportMetric(float64(len(body))/float64(len(packed)), "ratio")
			})
			b.Run(name+"/decompress", func(b *testing.B) {
				b.SetBytes(int64(len(body)))
				b.ReportAllocs()
				for b.Loop() {
					_, err := g.Decompress(nil, packed, 16<<20)
					require.NoError(b, err)
				}
			})
		}
	}
}
