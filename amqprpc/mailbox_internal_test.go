package amqprpc

import (
	"reflect"
	"testing"

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
