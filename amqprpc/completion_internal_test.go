package amqprpc

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// ackModel is a broker's view of a channel: what is outstanding, and what would
// have closed it.
type ackModel struct {
	t           *testing.T
	outstanding map[uint64]bool
	settled     map[uint64]bool // completed by the server
	frames      int
}

func (m *ackModel) Ack(tag uint64, multiple bool) {
	m.frames++
	require.True(m.t, m.outstanding[tag], "406: unknown delivery tag %d", tag)
	for t := range m.outstanding {
		if t == tag || multiple && t < tag {
			require.True(m.t, m.settled[t], "tag %d was acknowledged before it was settled", t)
			delete(m.outstanding, t)
		}
	}
}

// Whatever the order in which requests complete, each is acknowledged once and
// none before its time; and a run without gaps costs one frame.
func TestAcknowledgements(t *testing.T) {
	t.Parallel()
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 1))
		m := &ackModel{t: t, outstanding: map[uint64]bool{}, settled: map[uint64]bool{}}
		acks := acknowledgements{next: 1}
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
				acks.flush(m)
			}
		}
		acks.flush(m)
		require.Empty(t, m.outstanding, "seed %d", seed)
		require.Empty(t, acks.gap, "seed %d", seed)
		require.Zero(t, acks.beyond(), "seed %d", seed)
		require.Equal(t, n+1, acks.next, "seed %d", seed)
	}
	m := &ackModel{t: t, outstanding: map[uint64]bool{}, settled: map[uint64]bool{}}
	acks := acknowledgements{next: 1}
	for tag := range uint64(100) {
		m.outstanding[tag+1], m.settled[tag+1] = true, true
		acks.add(100 - tag)
	}
	acks.flush(m)
	require.Equal(t, 1, m.frames)
}

// Another lane is asked for when much was settled beyond a gap, if there was none for
// long before; and again after as much.
func TestGapWatch(t *testing.T) {
	t.Parallel()
	acks, watch := acknowledgements{next: 1}, gapWatch{since: 1}
	settle := func(from, to uint64) (asked []uint64) {
		for tag := from; tag <= to; tag++ {
			acks.settled(tag)
			if watch.asks(&acks) {
				asked = append(asked, tag)
			}
		}
		return asked
	}
	require.Empty(t, settle(1, relayWorth-1))
	require.Empty(t, settle(relayWorth+1, 1000), "too soon")
	require.Empty(t, settle(relayWorth, relayWorth)) // the gap is closed
	require.Empty(t, settle(1001, 1000+relayWorth))
	gap := uint64(1001 + relayWorth)
	require.Empty(t, settle(gap+1, gap+relayAfter-1))
	require.Equal(t, []uint64{gap + relayAfter, gap + 2*relayAfter}, settle(gap+relayAfter, gap+3*relayAfter-1))
	second := gap + 3*relayAfter
	require.NotEmpty(t, settle(second+1, second+100))
	require.Empty(t, settle(gap, gap), "there is another gap")
	require.NotEmpty(t, settle(second+101, second+100+relayAfter))
	require.Empty(t, settle(second, second))
	require.Empty(t, settle(second+102+relayAfter, second+1000), "too soon after the last")
}
