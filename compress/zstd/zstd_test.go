package zstd_test

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	klauspost "github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
	"github.com/bbebcec1/amqprpc-go/compress"
	"github.com/bbebcec1/amqprpc-go/compress/compresstest"
	"github.com/bbebcec1/amqprpc-go/compress/zstd"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The test is not parallel, because compresstest counts what is allocated.
func TestEncoding(t *testing.T) {
	require.Equal(t, "zstd", zstd.New(0).Name())
	for _, level := range []int{0, 1, 10} {
		t.Run(fmt.Sprint(level), func(t *testing.T) { compresstest.Run(t, zstd.New(level)) })
	}
}

// Frames that a stream has written, without their size, and several frames are one body.
func TestFrames(t *testing.T) {
	t.Parallel()
	frame := func(text string) []byte {
		var out bytes.Buffer
		w, err := klauspost.NewWriter(&out, klauspost.WithEncoderConcurrency(1))
		require.NoError(t, err)
		for part := range slices.Chunk([]byte(text), 1+len(text)/2) {
			_, err = w.Write(part)
			require.NoError(t, err)
		}
		require.NoError(t, w.Close())
		return out.Bytes()
	}
	e := zstd.New(0)
	two := append(frame("one "), frame("two")...)
	got, err := e.Decompress(nil, two, 7)
	require.NoError(t, err)
	require.Equal(t, "one two", string(got))
	_, err = e.Decompress(nil, two, 6)
	require.ErrorIs(t, err, compress.ErrTooLarge)
	for size, limit := range map[int]int{300_000: 299_999, 20 << 20: 9 << 20} {
		_, err = e.Decompress(nil, frame(strings.Repeat("x", size)), limit)
		require.ErrorIs(t, err, compress.ErrTooLarge)
	}
	_, err = e.Decompress(nil, two, 0)
	require.ErrorIs(t, err, compress.ErrTooLarge)
	for limit := 16 << 20; limit < 16<<20+20; limit++ { // more limits than are kept
		_, err = e.Decompress(nil, two, limit)
		require.NoError(t, err)
	}
}

// A call and its reply are compressed with zstd. A caller that knows only gzip gets gzip.
func TestCalls(t *testing.T) {
	t.Parallel()
	e := zstd.New(0)
	var seen []string
	note := func(next amqprpc.Invoker) amqprpc.Invoker {
		return func(ctx context.Context, req *amqprpc.Request) (*amqprpc.Response, error) {
			seen = append(seen, req.Delivery().ContentEncoding)
			return next(ctx, req)
		}
	}
	broker := amqptest.Start(t)
	srv := amqprpc.NewServer(broker.URL(), amqprpc.WithLogger(nil), amqprpc.WithAcceptedEncodings(e, compress.Gzip{}), amqprpc.WithMiddleware(note))
	amqprpc.Register(srv, "echo", func(_ context.Context, s string) (string, error) { return s, nil })
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ctx) }()
	t.Cleanup(func() {
		stop()
		require.NoError(t, <-served)
	})
	<-srv.Ready()
	cli, err := amqprpc.Dial(t.Context(), broker.URL(), amqprpc.WithLogger(nil))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, cli.Close()) })
	text := strings.Repeat("tea and ", 1000)
	for _, encoding := range []compress.Encoding{e, compress.Gzip{}} {
		got, err := amqprpc.Call[string, string](t.Context(), cli, "echo", text, amqprpc.WithCompression(encoding))
		require.NoError(t, err)
		require.Equal(t, text, got)
	}
	require.Equal(t, []string{"zstd", "gzip"}, seen)
}

func FuzzDecompress(f *testing.F) {
	e := zstd.New(0)
	f.Add(e.Compress(nil, []byte("body")), 3)
	f.Add([]byte("\x28\xb5\x2f\xfd\x20\x00\x01\x00\x00"), 1)
	f.Fuzz(func(t *testing.T, src []byte, limit int) {
		limit = min(max(limit, 0), 1<<20)
		if got, err := e.Decompress([]byte("abc"), src, limit); err == nil {
			require.LessOrEqual(t, len(got)-3, limit)
		}
	})
}

func BenchmarkZstd(b *testing.B) {
	e := zstd.New(0)
	for _, size := range []int{1 << 10, 16 << 10, 1 << 20} {
		var text bytes.Buffer
		for i := 0; text.Len() < size; i++ {
			fmt.Fprintf(&text, `{"ID":"%08x","Customer":"customer %d","Item":"tea, green, 250 g","Count":%d,"Cents":%d},`, i*2654435761, i%97, i%7, i*37%9973)
		}
		body := text.Bytes()[:size]
		packed := e.Compress(nil, body)
		b.Run(fmt.Sprintf("size=%d/compress", size), func(b *testing.B) {
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				e.Compress(make([]byte, 0, size/2), body)
			}
			b.ReportMetric(float64(size)/float64(len(packed)), "ratio")
		})
		b.Run(fmt.Sprintf("size=%d/decompress", size), func(b *testing.B) {
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				_, err := e.Decompress(nil, packed, 16<<20)
				require.NoError(b, err)
			}
		})
	}
}
