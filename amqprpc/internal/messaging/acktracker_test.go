package messaging

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// ackModel is a broker's view of a channel: what is outstanding, and what would have
// closed the channel.
type ackModel struct {
	t           *testing.T
	outstanding map[uint64]bool
	settled     map[uint64]bool // completed by the server
	frames      int
}

func (m *ackModel) ack(tag uint64, multiple bool) {
	m.frames++
	require.True(m.t, m.outstanding[tag], "406: unknown delivery tag %d", tag)
	for t := range m.outstanding {
		if t == tag || multiple && t < tag {
			require.True(m.t, m.settled[t], "tag %d was acknowledged before it was settled", t)
			delete(m.outstanding, t)
		}
	}
}

// Whatever the order in which deliveries are done, each is acknowledged once and none
// before its time.
func TestAckTracker(t *testing.T) {
	t.Parallel()
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 1))
		m := &ackModel{t: t, outstanding: map[uint64]bool{}, settled: map[uint64]bool{}}
		acks := ackTracker{next: 1}
		n := 1 + r.Uint64N(60)
		order := make([]uint64, n)
		for i := range order {
			order[i] = uint64(i) + 1
			m.outstanding[uint64(i)+1] = true
		}
		window := 1 + r.IntN(20)
		for i := 0; i+window <= len(order); i += window {
			r.Shuffle(window, func(a, b int) { order[i+a], order[i+b] = order[i+b], order[i+a] })
		}
		for _, tag := range order {
			m.settled[tag] = true
			if r.IntN(8) == 0 { // rejected
				delete(m.outstanding, tag)
				acks.settled(tag)
			} else {
				acks.add(tag)
			}
			if r.IntN(3) == 0 {
				acks.flush(m.ack)
			}
		}
		acks.flush(m.ack)
		require.Empty(t, m.outstanding, "seed %d", seed)
		require.Empty(t, acks.gap, "seed %d", seed)
		require.Equal(t, n+1, acks.next, "seed %d", seed)
		require.Equal(t, n+1, acks.lowest())
	}
}

// A run without a gap costs one frame, and what is beyond a gap waits for nothing.
func TestAckTrackerFrames(t *testing.T) {
	t.Parallel()
	m := &ackModel{t: t, outstanding: map[uint64]bool{}, settled: map[uint64]bool{}}
	acks := ackTracker{next: 1}
	for tag := range uint64(100) {
		m.outstanding[tag+1], m.settled[tag+1] = true, true
		acks.add(100 - tag)
	}
	acks.flush(m.ack)
	require.Equal(t, 1, m.frames)
	acks.flush(m.ack)
	require.Equal(t, 1, m.frames, "nothing is left to acknowledge")

	type sent struct {
		tag      uint64
		multiple bool
	}
	var got []sent
	note := func(tag uint64, multiple bool) { got = append(got, sent{tag, multiple}) }
	for _, tag := range []uint64{105, 104, 102, 101} { // 103 is slow
		acks.add(tag)
	}
	acks.flush(note)
	require.Equal(t, []sent{{102, true}, {104, false}, {105, false}}, got)
	got = nil
	acks.add(103)
	acks.add(106)
	acks.flush(note)
	require.Equal(t, []sent{{106, true}}, got)
}
