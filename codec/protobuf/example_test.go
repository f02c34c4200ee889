package protobuf_test

import (
	"context"
	"fmt"
	"log"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
	"github.com/bbebcec1/amqprpc-go/codec/protobuf"
	"github.com/bbebcec1/amqprpc-go/codec/protobuf/internal/shop"
)

// PlaceOrder is the contract: messages of a .proto file, as pointers.
const PlaceOrder amqprpc.Method[*shop.Order, *shop.Receipt] = "orders"

func ExampleCodec() {
	broker := amqptest.NewBroker()
	defer broker.Close()

	srv := amqprpc.NewServer(broker.URL(), amqprpc.WithLogger(nil), amqprpc.WithAcceptedCodecs(protobuf.Codec{}))
	PlaceOrder.Register(srv, func(_ context.Context, o *shop.Order) (*shop.Receipt, error) {
		if o.GetCount() < 1 {
			return nil, amqprpc.Errorf(amqprpc.CodeInvalidArgument, "%d pieces", o.GetCount())
		}
		return &shop.Receipt{Cents: int64(o.GetCount()) * 250}, nil
	})
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error)
	go func() { served <- srv.Serve(ctx) }()
	<-srv.Ready()
	defer func() { <-served }()
	defer stop()

	cli, err := amqprpc.Dial(ctx, broker.URL(), amqprpc.WithLogger(nil), amqprpc.WithCodec(protobuf.Codec{}))
	if err != nil {
		log.Fatal(err)
	}
	defer cli.Close()
	receipt, err := PlaceOrder.Call(ctx, cli, &shop.Order{Item: "tea", Count: 3})
	fmt.Println(receipt.GetCents(), err)
	_, err = PlaceOrder.Call(ctx, cli, &shop.Order{Item: "tea"})
	fmt.Println(err)
	// Output:
	// 750 <nil>
	// orders: invalid_argument: 0 pieces
}
