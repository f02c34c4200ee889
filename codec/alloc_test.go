//go:build !race

// Under the race detector, sync.Pool drops random items, so allocations cannot be counted.

package codec_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/codec"
)

// TestAllocations compares the allocations of MsgPack with those of plain msgpack.
func TestAllocations(t *testing.T) {
	o := newOrder(9)
	marshal := testing.AllocsPerRun(200, func() {
		if _, err := (codec.MsgPack{}).Marshal(&o); err != nil {
			t.Error(err)
		}
	})
	alone := testing.AllocsPerRun(200, func() {
		if _, err := (bare{}).Marshal(&o); err != nil {
			t.Error(err)
		}
	})
	require.LessOrEqual(t, marshal, alone+1, "one more in case a collection empties the pool")

	body, err := codec.MsgPack{}.Marshal(&o)
	require.NoError(t, err)
	var n int
	number, err := codec.MsgPack{}.Marshal(832040)
	require.NoError(t, err)
	require.LessOrEqual(t, testing.AllocsPerRun(200, func() {
		if err := (codec.MsgPack{}).Unmarshal(number, &n); err != nil {
			t.Error(err)
		}
	}), 1.0)
	var skipped struct{}
	require.LessOrEqual(t, testing.AllocsPerRun(200, func() {
		if err := (codec.MsgPack{}).Unmarshal(body, &skipped); err != nil {
			t.Error(err)
		}
	}), 1.0, "fields that nobody wants cost nothing")
}
