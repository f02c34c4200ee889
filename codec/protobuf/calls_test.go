package protobuf_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/amqprpc/rpctest"
	"github.com/bbebcec1/amqprpc-go/codec"
	"github.com/bbebcec1/amqprpc-go/codec/protobuf"
	"github.com/bbebcec1/amqprpc-go/codec/protobuf/internal/shop"
	"github.com/bbebcec1/amqprpc-go/middleware"
	"github.com/bbebcec1/amqprpc-go/middleware/idempotency"
)

const (
	place  amqprpc.Method[*shop.Order, *shop.Receipt]                      = "orders"
	negate amqprpc.Method[*wrapperspb.Int64Value, *wrapperspb.Int64Value]  = "negate"
	reset  amqprpc.Method[amqprpc.None, *wrapperspb.Int64Value]            = "reset"
	forget amqprpc.Method[*wrapperspb.Int64Value, amqprpc.None]            = "forget"
	plain  amqprpc.Method[map[string]int, map[string]int]                  = "plain"
	mute   amqprpc.Method[*wrapperspb.Int64Value, *wrapperspb.StringValue] = "mute"
	none   amqprpc.Method[amqprpc.None, amqprpc.None]                      = "none"
)

func placeOrder(_ context.Context, o *shop.Order) (*shop.Receipt, error) {
	if o.Count < 1 {
		return nil, amqprpc.Errorf(amqprpc.CodeInvalidArgument, "%d pieces", o.Count).WithDetail("least", 1)
	}
	return &shop.Receipt{Cents: int64(o.Count) * 250, Parts: map[string]int64{o.Item: int64(o.Count) * 250}}, nil
}

func serve(t *testing.T, opts ...amqprpc.ClientOption) *amqprpc.Client {
	accepted := amqprpc.WithAcceptedCodecs(codec.JSON{}, codec.MsgPack{}, protobuf.Codec{})
	return rpctest.Serve(t, func(srv *amqprpc.Server) {
		place.Register(srv, placeOrder, accepted, amqprpc.WithMiddleware(middleware.Validate()))
		negate.Register(srv, func(_ context.Context, n *wrapperspb.Int64Value) (*wrapperspb.Int64Value, error) {
			return wrapperspb.Int64(-n.Value), nil
		}, accepted)
		reset.Register(srv, func(context.Context, amqprpc.None) (*wrapperspb.Int64Value, error) {
			return wrapperspb.Int64(0), nil
		}, accepted)
		forget.Register(srv, func(context.Context, *wrapperspb.Int64Value) (amqprpc.None, error) { return amqprpc.None{}, nil }, accepted)
		plain.Register(srv, func(_ context.Context, m map[string]int) (map[string]int, error) { return m, nil }, accepted)
		mute.Register(srv, func(context.Context, *wrapperspb.Int64Value) (*wrapperspb.StringValue, error) { return nil, nil }, accepted)
		none.Register(srv, func(context.Context, amqprpc.None) (amqprpc.None, error) { return amqprpc.None{}, nil }, accepted)
	}, append(opts, amqprpc.WithCodec(protobuf.Codec{}))...)
}

func TestCalls(t *testing.T) {
	t.Parallel()
	cli, ctx := serve(t), t.Context()
	receipt, err := place.Call(ctx, cli, &shop.Order{Item: "tea", Count: 3})
	require.NoError(t, err)
	require.Equal(t, int64(750), receipt.Cents)
	require.Equal(t, map[string]int64{"tea": 750}, receipt.Parts)
	_, err = place.Call(ctx, cli, &shop.Order{Item: "tea"})
	require.ErrorIs(t, err, amqprpc.CodeInvalidArgument)
	require.ErrorContains(t, err, "0 pieces")
	least, ok := amqprpc.Detail[int](err, "least")
	require.True(t, ok)
	require.Equal(t, 1, least)

	for _, n := range []int64{7, 0} { // zero has an empty body
		got, err := negate.Call(ctx, cli, wrapperspb.Int64(n))
		require.NoError(t, err)
		require.Equal(t, -n, got.Value)
		_, err = forget.Call(ctx, cli, wrapperspb.Int64(n))
		require.NoError(t, err)
		require.NoError(t, forget.Notify(ctx, cli, wrapperspb.Int64(n)))
	}
	zero, err := reset.Call(ctx, cli, amqprpc.None{})
	require.NoError(t, err)
	require.Zero(t, zero.Value)
	_, err = none.Call(ctx, cli, amqprpc.None{})
	require.NoError(t, err)

	_, err = plain.Call(ctx, cli, map[string]int{"a": 1})
	require.ErrorIs(t, err, amqprpc.CodeInvalidArgument)
	require.Equal(t, amqprpc.OutcomeNotSent, amqprpc.OutcomeOf(err))
	_, err = negate.Call(ctx, cli, nil)
	require.ErrorContains(t, err, "the message is nil")
	require.Equal(t, amqprpc.OutcomeNotSent, amqprpc.OutcomeOf(err))
	_, err = mute.Call(ctx, cli, wrapperspb.Int64(1))
	require.ErrorIs(t, err, amqprpc.CodeInternal)
	require.ErrorContains(t, err, "the message is nil")
}

// Each request has its own codec. A handler of plain types refuses a message, and one of
// messages refuses what is no message.
func TestCodecsTogether(t *testing.T) {
	t.Parallel()
	cli, ctx := serve(t), t.Context()
	got, err := plain.Call(ctx, cli, map[string]int{"a": 1}, amqprpc.WithCodec(codec.JSON{}))
	require.NoError(t, err)
	require.Equal(t, map[string]int{"a": 1}, got)
	receipt, err := amqprpc.Call[map[string]any, map[string]any](ctx, cli, string(place), map[string]any{"item": "tea", "count": 1}, amqprpc.WithCodec(codec.JSON{}))
	require.NoError(t, err)
	require.EqualValues(t, 250, receipt["cents"], "simple messages are JSON, too")
	_, err = amqprpc.Call[*shop.Order, *shop.Order](ctx, cli, string(plain), &shop.Order{})
	require.ErrorIs(t, err, amqprpc.CodeInvalidArgument)
	require.ErrorContains(t, err, "it is no proto.Message")
}

// The middleware that remembers calls knows a message again, also an empty one.
func TestIdempotency(t *testing.T) {
	t.Parallel()
	runs := 0
	cli := rpctest.Serve(t, func(srv *amqprpc.Server) {
		place.Register(srv, func(_ context.Context, o *shop.Order) (*shop.Receipt, error) {
			runs++
			return &shop.Receipt{}, nil
		}, amqprpc.WithAcceptedCodecs(protobuf.Codec{}), amqprpc.WithMiddleware(idempotency.New(idempotency.NewMemoryStore(10, 1<<40))))
	}, amqprpc.WithCodec(protobuf.Codec{}))
	for i, o := range []*shop.Order{{}, {Item: "tea", Count: 1}} {
		for range 3 {
			receipt, err := place.Call(t.Context(), cli, o, amqprpc.WithCallID(fmt.Sprint(i)))
			require.NoError(t, err)
			require.Zero(t, receipt.Cents)
		}
		require.Equal(t, i+1, runs)
	}
	_, err := place.Call(t.Context(), cli, &shop.Order{Item: "coffee"}, amqprpc.WithCallID("1"))
	require.ErrorIs(t, err, amqprpc.CodeFailedPrecondition)
}
