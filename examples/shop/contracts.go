package main

import (
	"errors"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
)

// The contracts of the shop: queues, with the types that travel on them. Servers and callers
// share this file. If your services are separate programs, make it a package.
const (
	PlaceOrder amqprpc.Method[Order, Receipt]      = "shop.orders.place"
	Reserve    amqprpc.Method[Reservation, Parcel] = "shop.inventory.reserve"
	Quote      amqprpc.Method[Basket, Price]       = "shop.pricing.quote"
)

// Line is an item and how many of it.
type Line struct {
	Item  string `json:"item"`
	Count int    `json:"count"`
}

// Order is what a customer orders. The customer and the ID of the call are its number.
type Order struct {
	Lines []Line `json:"lines"`
}

// Validate refuses an order that nobody can deliver.
func (o Order) Validate() error {
	if len(o.Lines) == 0 {
		return errors.New("the order is empty")
	}
	for _, l := range o.Lines {
		if l.Count < 1 {
			return errors.New("the count of " + l.Item + " is below one")
		}
	}
	return nil
}

// Receipt is what a customer gets.
type Receipt struct {
	Order  string `json:"order"`
	Parcel string `json:"parcel"`
	Cents  int    `json:"cents"`
}

// Reservation asks for goods. The ID of the call is the number of the order.
type Reservation struct {
	Lines []Line `json:"lines"`
}

// Parcel is reserved goods.
type Parcel struct {
	Number string `json:"number"`
}

// Basket asks for a price.
type Basket struct {
	Lines []Line `json:"lines"`
}

// Price is what a basket costs.
type Price struct {
	Cents int `json:"cents"`
}
