package amqptest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/frame"
)

// TestBodyIsAllocatedAsItComes announces a large body and sends little of it.
func TestBodyIsAllocatedAsItComes(t *testing.T) {
	t.Parallel()
	const announced, limit = 64 << 20, 128 << 20
	var p content
	p.header(frame.Header{BodySize: announced})
	require.LessOrEqual(t, cap(p.body), 4<<10)
	piece := make([]byte, 100<<10)
	for sum := len(piece); sum < announced; sum += len(piece) {
		p.add(piece, limit)
		require.LessOrEqual(t, cap(p.body), 2*sum+len(piece))
		if sum > 10<<20 {
			break
		}
	}
	p.add(make([]byte, announced-len(p.body)), limit)
	require.True(t, p.complete())
	require.Len(t, p.body, announced)
	require.Equal(t, announced, cap(p.body), "no more than was announced")
}
