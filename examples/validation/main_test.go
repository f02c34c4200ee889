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
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const want = `A request that keeps the rules
  welcome, Ada
One that breaks them, refused by the server
  invalid_argument, outcome not-executed
  name           required
  email          email
  age            gte=18
  address.city   required
  address.zip    numeric
The same, refused by the client
  invalid_argument, outcome not-sent
  name           required
  email          email
  age            gte=18
  address.city   required
  address.zip    numeric
`

func TestOutput(t *testing.T) {
	t.Parallel()
	b := amqptest.NewBroker()
	defer b.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	for name, url := range map[string]string{"own broker": "", "url": b.URL()} {
		var out bytes.Buffer
		require.NoError(t, run(ctx, url, &out), name)
		require.Equal(t, want, out.String(), name)
	}
}

// A message that is not a struct has no tags and passes.
func TestOtherMessages(t *testing.T) {
	t.Parallel()
	b := amqptest.NewBroker()
	defer b.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	cli, err := amqprpc.Dial(ctx, b.URL(), amqprpc.WithLogger(nil), amqprpc.WithMiddleware(validateTags()))
	require.NoError(t, err)
	defer cli.Close()
	_, err = amqprpc.Call[int, int](ctx, cli, "nobody", 1)
	require.ErrorIs(t, err, amqprpc.CodeUnavailable, "the request was not sent")
}
