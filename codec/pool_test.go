package codec_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/codec"
)

// The test keeps many results while the pooled buffers are reused, and then checks the
// results.
func TestMarshalledBytesAreTheCallers(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, c codec.Codec) {
		var wg sync.WaitGroup
		for worker := range 8 {
			wg.Go(func() {
				var kept, copies [][]byte
				for i := range 200 {
					body, err := c.Marshal(newOrder((worker*31 + i*7) % 40))
					if err != nil {
						t.Error(err)
						return
					}
					kept = append(kept, body)
					copies = append(copies, bytes.Clone(body))
				}
				for i := range kept {
					if !bytes.Equal(kept[i], copies[i]) {
						t.Errorf("result %d changed", i)
						return
					}
					// An append to one result does not change another.
					_ = append(kept[i], "overwritten"...)
				}
			})
		}
		wg.Wait()
	})
}

// The test overwrites the body and then checks the decoded value.
func TestUnmarshalDoesNotKeepData(t *testing.T) {
	t.Parallel()
	type target struct {
		String string
		Bytes  []byte
		Strs   []string
		Map    map[string]string
		Any    any
		AnyMap map[string]any
		Raw    json.RawMessage
		Text   stamp
		Num    []any
		Keys   map[level]int
		Nested *target
	}
	build := func() target {
		return target{
			String: "string", Bytes: []byte("bytes"), Strs: []string{"a", "b"}, Map: map[string]string{"k": "v"},
			Any: []any{"x", object{"y": "z"}}, AnyMap: object{"key": "value"}, Raw: json.RawMessage(`"raw"`), Text: stamp{"text"},
			Num: []any{"n"}, Keys: map[level]int{"high": 1},
			Nested: &target{String: "inner", Bytes: []byte("bytes"), Raw: json.RawMessage(`["raw"]`)},
		}
	}
	both(t, func(t *testing.T, c codec.Codec) {
		body, err := c.Marshal(build())
		require.NoError(t, err)
		var got, other target
		require.NoError(t, c.Unmarshal(body, &got))
		clear(body)
		body, err = c.Marshal(target{String: strings.Repeat("!", 1000), Raw: json.RawMessage(`"!!!!!!!!!!!!"`)})
		require.NoError(t, err)
		require.NoError(t, c.Unmarshal(body, &other))
		require.Equal(t, build(), got)
	})
}

func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, c codec.Codec) {
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for i := range 50 {
					want := page[order]{Items: []order{newOrder(i % 5)}}
					body, err := c.Marshal(want)
					if err != nil {
						t.Error(err)
						return
					}
					var got page[order]
					if err := c.Unmarshal(body, &got); err != nil {
						t.Error(err)
						return
					}
					if len(got.Items) != 1 || len(got.Items[0].Lines) != i%5 {
						t.Errorf("got %+v", got)
						return
					}
				}
			})
		}
		wg.Wait()
	})
}

// A pooled buffer that once became huge is not kept, and later messages still work.
func TestHugeMessagesLeaveNothingBehind(t *testing.T) {
	t.Parallel()
	huge := strings.Repeat("x", 3<<20)
	both(t, func(t *testing.T, c codec.Codec) {
		for range 3 {
			body, err := c.Marshal(pair[string, []byte]{huge, []byte(huge)})
			require.NoError(t, err)
			requireDecodes(t, c, body, pair[string, []byte]{huge, []byte(huge)})
		}
		body, err := c.Marshal(1)
		require.NoError(t, err)
		requireDecodes(t, c, body, 1)
	})
}
