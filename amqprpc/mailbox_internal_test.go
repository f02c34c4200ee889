package amqprpc

import (
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/protocol"
)

// Requests that a server refuses do not fill its memory while nothing can be written.
func TestRefusalsWaitingAreBounded(t *testing.T) {
	t.Parallel()
	s := NewServer("amqp://localhost")
	r := &protocol.Request{ReplyTo: "replies", MessageID: "1", CorrelationID: "1"}
	for range 3 * refusalsMost {
		s.refuseMail(r, Errorf(CodeUnimplemented, "no"))
	}
	queue := reflect.ValueOf(&s.streams.writer).Elem().FieldByName("box").FieldByName("queue").FieldByName("values")
	require.Equal(t, refusalsMost, queue.Len())
	s.mail.refusals.Add(-1) // as when one is written
	s.refuseMail(r, Errorf(CodeUnimplemented, "no"))
	require.Equal(t, refusalsMost+1, queue.Len(), "there is room again")
}

// A request that comes again is not taken again, though it was read after its expiration.
func TestRequestsAreKnownBeyondTheirExpiration(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := NewServer("amqp://localhost")
		r := &protocol.Request{CorrelationID: "1", Expires: 20 * time.Millisecond}
		require.True(t, s.firstSeen(r))
		time.Sleep(2 * r.Expires)
		require.False(t, s.firstSeen(r))
		require.EqualValues(t, 1, s.Stats().InstanceRepeated)
		time.Sleep(r.Expires + seenLonger)
		require.False(t, s.mail.seen.has("\n1"))
		require.Nil(t, s.mail.seen.known, "the memory is free in the end")
	})
}
