package main

import (
	"context"
	"fmt"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
)

// orders takes the orders of customers. It asks pricing and inventory.
type orders struct {
	cli *amqprpc.Client
}

// newOrders makes an instance of the service.
func newOrders(p *Platform, instance string, conn ...amqprpc.ConnOption) (*Service, error) {
	s, err := p.NewService(Spec{
		Name: "orders", Instance: instance, Conn: conn, Limits: p.Customers,
		Encoding: zstandard, Token: p.Login.source("orders", string(Quote), string(Reserve)),
	})
	if err != nil {
		return nil, err
	}
	o := &orders{cli: s.Client}
	PlaceOrder.Register(s.Server, o.place, queue(), s.once())
	return s, nil
}

// place is the handler. Its ctx goes into its own calls: with it travel the deadline, the
// trace and the cancellation.
func (o *orders) place(ctx context.Context, order Order) (Receipt, error) {
	req, _ := amqprpc.RequestFromContext(ctx)
	number := ownID(ctx, req.ID())
	price, err := Quote.Call(ctx, o.cli, Basket(order))
	if err != nil {
		return Receipt{}, notPlaced(ctx, err)
	}
	// The number of the order is the ID of this call: an order that comes again reserves
	// nothing again.
	parcel, err := Reserve.Call(ctx, o.cli, Reservation(order), amqprpc.WithCallID(number))
	if err != nil {
		return Receipt{}, notPlaced(ctx, err)
	}
	return Receipt{Order: number, Parcel: parcel.Number, Cents: price.Cents}, nil
}

// notPlaced is the error of an order that another service has failed. The code is aborted, and
// not unavailable: this service works, so that breakers of its callers must stay closed.
func notPlaced(ctx context.Context, err error) error {
	if ctx.Err() != nil { // the customer has given up, or the time is over
		return ctx.Err()
	}
	return amqprpc.NewError(amqprpc.CodeAborted, fmt.Errorf("the order is not placed: %w", err))
}
