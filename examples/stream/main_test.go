package main

import (
	"bytes"
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
	"github.com/bbebcec1/amqprpc-go/amqprpc/rpctest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 20 * time.Second

const want = `A price feed
  tea costs 100 cents
  tea costs 102 cents
  tea costs 104 cents
  tea costs 106 cents
  the reader leaves, and the handler ends: canceled
An upload
  the caller: "sugar many" is no row
  the handler throws the upload away: canceled
  the corrected list: 3 rows, 14 items
A chat
  Ada hears room: welcome, Ada
  Bob hears room: welcome, Bob
  Bob hears Ada: is there tea?
  Ada hears Bob: three cups
  Ada's stay has ended
  Bob hears room: Ada has left
`

func TestOutput(t *testing.T) {
	t.Parallel()
	b := amqptest.NewBroker()
	defer b.Close()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for name, url := range map[string]string{"own broker": "", "url": b.URL()} {
		var out bytes.Buffer
		require.NoError(t, run(ctx, url, &out), name)
		require.Equal(t, want, out.String(), name)
	}
}

// A name is in the room once.
func TestNameIsTaken(t *testing.T) {
	t.Parallel()
	cli := rpctest.Serve(t, func(s *amqprpc.Server) { Chat.Register(s, newRoom().chat) })
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	ada, err := Chat.Open(ctx, cli, amqprpc.WithHeader("name", "Ada"))
	require.NoError(t, err)
	defer ada.Close()
	line, err := ada.Recv()
	require.NoError(t, err)
	require.Equal(t, Line{"room", "welcome, Ada"}, line)
	second, err := Chat.Open(ctx, cli, amqprpc.WithHeader("name", "Ada"))
	require.NoError(t, err)
	_, err = second.Recv()
	require.ErrorIs(t, err, amqprpc.CodeAlreadyExists)
	require.NoError(t, second.Close())
}
