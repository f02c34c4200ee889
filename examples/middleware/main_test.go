package main

import (
	"bytes"
	"context"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 20 * time.Second

const want = `with a token: price("tea")
  cents        350
  currency     EUR
  caller-seen  till 3
  served-by    server 1
  cache        miss
the same once more: price("tea")
  cents        350
  currency     EUR
  caller-seen  till 3
  served-by    server 1
  cache        hit
another, which is not there: price("gold")
  error        examples.price: not_found: no article "gold"
  outcome      executed
  caller-seen  till 3
  served-by    server 1
without a token: price("coffee")
  error        examples.price: unauthenticated: say the word
  outcome      not-executed
  caller-seen  till 3
  served-by    server 1
nonsense without a token
  error        examples.price: unauthenticated: say the word
nonsense with a token
  code         invalid_argument

the server handled 5 requests; the cache answered 1
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

// The server does not decode a request without a token.
func TestTokenBeforeDecoding(t *testing.T) {
	t.Parallel()
	b := amqptest.NewBroker()
	defer b.Close()
	decoded := make(chan struct{}, 1)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	srv := amqprpc.NewServer(b.URL(), amqprpc.WithLogger(nil), amqprpc.WithMiddleware(requireToken("sesame")),
		amqprpc.WithAcceptedCodecs(watched{decoded}))
	Price.Register(srv, price)
	serving, stop := context.WithCancel(ctx)
	served := make(chan error, 1)
	go func() { served <- srv.Serve(serving) }()
	<-srv.Ready()
	cli, err := amqprpc.Dial(ctx, b.URL(), amqprpc.WithLogger(nil), amqprpc.WithCodec(watched{decoded}))
	require.NoError(t, err)
	_, err = Price.Call(ctx, cli, "tea")
	require.ErrorIs(t, err, amqprpc.CodeUnauthenticated)
	require.Empty(t, decoded)
	got, err := Price.Call(ctx, cli, "tea", amqprpc.WithHeader("authorization", "sesame"))
	require.NoError(t, err)
	require.Equal(t, 350, got)
	require.Len(t, decoded, 1)
	require.NoError(t, cli.Close())
	stop()
	require.NoError(t, <-served)
}
