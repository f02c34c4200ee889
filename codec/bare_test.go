package codec_test

import (
	"bytes"
	"cmp"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/vmihailenco/msgpack/v5"

	"github.com/bbebcec1/amqprpc-go/codec"
)

// bare is plain msgpack v5 as a careful program uses it: pooled, and with options that
// produce the same bytes as MsgPack.
type bare struct{}

type bareEncoder struct {
	msgpack *msgpack.Encoder
	buf     bytes.Buffer
}

type bareDecoder struct {
	msgpack *msgpack.Decoder
	body    bytes.Reader
}

var (
	bareEncoders = sync.Pool{New: func() any { return &bareEncoder{msgpack: msgpack.NewEncoder(nil)} }}
	bareDecoders = sync.Pool{New: func() any { return &bareDecoder{msgpack: msgpack.NewDecoder(nil)} }}
)

func (bare) Marshal(v any) ([]byte, error) {
	e := bareEncoders.Get().(*bareEncoder)
	defer bareEncoders.Put(e)
	e.buf.Reset()
	e.msgpack.Reset(&e.buf)
	e.msgpack.SetCustomStructTag("json")
	e.msgpack.SetSortMapKeys(true)
	e.msgpack.UseCompactInts(true)
	if err := e.msgpack.Encode(v); err != nil {
		return nil, err
	}
	return bytes.Clone(e.buf.Bytes()), nil
}

func (bare) Unmarshal(data []byte, v any) error {
	d := bareDecoders.Get().(*bareDecoder)
	defer bareDecoders.Put(d)
	d.body.Reset(data)
	d.msgpack.Reset(&d.body)
	d.msgpack.SetCustomStructTag("json")
	return d.msgpack.Decode(v)
}

// BenchmarkBare measures the cost of the strict layer. It takes the ratio of medians of
// alternating batches, because the machine is never quiet.
func BenchmarkBare(b *testing.B) {
	small, big, number := newOrder(9), newOrder(1250), 832040
	for _, tt := range []struct {
		name  string
		value any
		fresh func() any
		batch int
	}{
		{"int", &number, func() any { return new(int) }, 5000},
		{"1KiB", &small, func() any { return new(order) }, 100},
		{"100KiB", &big, func() any { return new(order) }, 1},
	} {
		body, err := codec.MsgPack{}.Marshal(tt.value)
		require.NoError(b, err)
		theirs, err := bare{}.Marshal(tt.value)
		require.NoError(b, err)
		require.Equal(b, theirs, body)
		b.Run("marshal/"+tt.name, func(b *testing.B) {
			compare(b, tt.batch, func() error { _, err := codec.MsgPack{}.Marshal(tt.value); return err },
				func() error { _, err := bare{}.Marshal(tt.value); return err })
		})
		b.Run("unmarshal/"+tt.name, func(b *testing.B) {
			compare(b, tt.batch, func() error { return codec.MsgPack{}.Unmarshal(body, tt.fresh()) },
				func() error { return bare{}.Unmarshal(body, tt.fresh()) })
		})
	}
}

// compare reports the time of ours as a multiple of the time of theirs.
func compare(b *testing.B, batch int, ours, theirs func() error) {
	var times [2][]time.Duration
	for turn := 0; b.Loop(); turn++ {
		for i := range 2 {
			i = (i + turn) % 2 // alternate the order, because the second finds warmer caches
			f := []func() error{ours, theirs}[i]
			start := time.Now()
			for range batch {
				if err := f(); err != nil {
					b.Fatal(err)
				}
			}
			times[i] = append(times[i], time.Since(start))
		}
	}
	median := func(list []time.Duration) float64 {
		slices.SortFunc(list, cmp.Compare[time.Duration])
		return float64(list[len(list)/2]) / float64(batch)
	}
	b.ReportMetric(median(times[0])/median(times[1]), "×bare")
	b.ReportMetric(median(times[0]), "ns/op")
}
