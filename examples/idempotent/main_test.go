package main

import (
	"bytes"
	"context"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 20 * time.Second

const want = `
the caller gives up while the bank works
  shop: order 1: canceled, outcome unknown
  bank: charges 1000 cents
  shop: order 1 is paid, receipt 1, as was answered before

the server's connection is lost while the bank works
  bank: charges 2000 cents
  shop: order 2 is paid, receipt 2, as was answered before

a message is published twice
  bank: charges 3000 cents
  foreign client: {"number":3,"cents":3000}
  foreign client: {"number":3,"cents":3000}

the bank's refusal is an answer
  bank: declines
  shop: order 4: examples.charge: failed_precondition: the card has no cover
  shop: order 4: examples.charge: failed_precondition: the card has no cover, as was answered before

come back later is none
  bank: too busy
  shop: order 5: examples.charge: unavailable: come back later
  bank: charges 5000 cents
  shop: order 5 is paid, receipt 4

an id that was used for another payment
  shop: order 5: examples.charge: failed_precondition: the call's id was used before, with another body

in the bank's books: 4 charges, 11000 cents
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

func TestNoBroker(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, l.Close())
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	err = run(ctx, "amqp://guest:guest@"+l.Addr().String()+"/", &bytes.Buffer{})
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.ErrorContains(t, err, l.Addr().String())
}
