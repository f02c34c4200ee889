package demo

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
)

// The contracts of the orders.
const (
	placeOrder amqprpc.Method[Order, Receipt]      = "orders.place"
	findOrder  amqprpc.Method[OrderQuery, Receipt] = "orders.find"
)

// Order is what a customer wants.
type Order struct {
	Customer string            `json:"customer" jsonschema:"description=An e-mail address,minLength=3"`
	Items    []Item            `json:"items" jsonschema:"minItems=1,maxItems=20"`
	Shipping string            `json:"shipping" jsonschema:"enum=standard,enum=express,enum=pickup"`
	Address  *Address          `json:"address,omitempty" jsonschema:"description=Where to send it. Not needed for pickup"`
	Gift     bool              `json:"gift"`
	Discount *float64          `json:"discount,omitempty" jsonschema:"minimum=0,maximum=50,description=In percent"`
	Note     string            `json:"note,omitempty" jsonschema:"maxLength=500"`
	Labels   map[string]string `json:"labels,omitempty"`
}

// Item is a line of an order.
type Item struct {
	SKU      string `json:"sku" jsonschema:"description=The number of the article,pattern=^[A-Z]+-[0-9]+$"`
	Quantity int    `json:"quantity" jsonschema:"minimum=1,maximum=99"`
}

// Address is a postal address.
type Address struct {
	Street  string `json:"street"`
	City    string `json:"city"`
	Country string `json:"country" jsonschema:"minLength=2,maxLength=2"`
}

// Receipt confirms an order.
type Receipt struct {
	ID         string    `json:"id"`
	TotalCents int64     `json:"total_cents"`
	Arrives    time.Time `json:"arrives"`
	Items      []Item    `json:"items"`
}

// OrderQuery asks for an order.
type OrderQuery struct {
	ID string `json:"id"`
}

// Shortage is the detail of an order that cannot be delivered.
type Shortage struct {
	SKU       string `json:"sku"`
	Wanted    int    `json:"wanted"`
	Available int    `json:"available"`
}

// Invalid is the detail of an order that is wrong.
type Invalid struct {
	Field  string `json:"field"`
	Reason string `json:"reason"`
}

var exampleOrder = Order{
	Customer: "ada@example.com", Shipping: "express",
	Items:   []Item{{SKU: "TEA-104", Quantity: 2}, {SKU: "CUP-7", Quantity: 1}},
	Address: &Address{Street: "12 Harbour Lane", City: "Bergen", Country: "NO"},
}

const (
	maxOrders = 1000 // of customers, that the shop remembers
	oldOrders = 40   // that it has from the start and never forgets: A-1000 and so on
)

// orders takes orders and remembers the last ones.
type orders struct {
	mu   sync.Mutex
	all  map[string]Receipt
	ring []string
	next int
}

func newOrders() *orders {
	o := &orders{all: make(map[string]Receipt), next: 1000}
	for range oldOrders {
		o.keep(Receipt{TotalCents: 4200, Items: exampleOrder.Items, Arrives: time.Now().Truncate(time.Hour).UTC()})
	}
	o.ring = nil // which forgets none of them
	return o
}

func (o *orders) register(srv *amqprpc.Server) {
	placeOrder.Register(srv, o.place,
		amqprpc.WithDoc("Places an order, and says when it arrives. Orders of more than nine of an article fail, because the shop has only nine of each."),
		amqprpc.WithExample(exampleOrder),
		amqprpc.WithErrorDetails(amqprpc.CodeInvalidArgument, Invalid{Field: "address", Reason: "it is missing"}),
		amqprpc.WithErrorDetails(amqprpc.CodeFailedPrecondition, Shortage{SKU: "CUP-7", Wanted: 12, Available: 9}),
		amqprpc.WithErrors(amqprpc.CodeUnavailable))
	findOrder.Register(srv, o.find,
		amqprpc.WithDoc("Finds an order by its ID."),
		amqprpc.WithExample(OrderQuery{ID: "A-1000"}),
		amqprpc.WithErrors(amqprpc.CodeNotFound))
}

func (o *orders) place(ctx context.Context, order Order) (Receipt, error) {
	if order.Shipping != "pickup" && order.Address == nil {
		return Receipt{}, amqprpc.Errorf(amqprpc.CodeInvalidArgument, "an order with %s shipping needs an address", order.Shipping).
			WithDetail("invalid", Invalid{Field: "address", Reason: "it is missing"})
	}
	if len(order.Items) == 0 {
		return Receipt{}, amqprpc.Errorf(amqprpc.CodeInvalidArgument, "the order has no items").
			WithDetail("invalid", Invalid{Field: "items", Reason: "there are none"})
	}
	total := int64(0)
	for _, i := range order.Items {
		if i.Quantity > stock {
			return Receipt{}, amqprpc.Errorf(amqprpc.CodeFailedPrecondition, "there are only %d of %s", stock, i.SKU).
				WithDetail("shortage", Shortage{SKU: i.SKU, Wanted: i.Quantity, Available: stock})
		}
		total += int64(i.Quantity) * priceOf(i.SKU)
	}
	if err := work(ctx, 4*time.Millisecond, 30*time.Millisecond); err != nil {
		return Receipt{}, err
	}
	if rand.IntN(150) == 0 {
		return Receipt{}, amqprpc.NewError(amqprpc.CodeUnavailable, errors.New("the payment provider does not answer")).WithRetryAfter(2 * time.Second)
	}
	return o.keep(Receipt{TotalCents: total, Items: order.Items, Arrives: time.Now().Add(48 * time.Hour).Truncate(time.Hour).UTC()}), nil
}

// keep gives a receipt its ID, and forgets the oldest one of the customers.
func (o *orders) keep(r Receipt) Receipt {
	o.mu.Lock()
	defer o.mu.Unlock()
	r.ID = fmt.Sprintf("A-%d", o.next)
	o.next++
	o.all[r.ID] = r
	if o.ring = append(o.ring, r.ID); len(o.ring) > maxOrders {
		delete(o.all, o.ring[0])
		o.ring = o.ring[1:]
	}
	return r
}

func (o *orders) find(ctx context.Context, q OrderQuery) (Receipt, error) {
	if err := work(ctx, time.Millisecond, 4*time.Millisecond); err != nil {
		return Receipt{}, err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	r, ok := o.all[q.ID]
	if !ok {
		return Receipt{}, amqprpc.Errorf(amqprpc.CodeNotFound, "there is no order %q", q.ID)
	}
	return r, nil
}

// work takes as long as a database might: at least the first time, and seldom the second.
func work(ctx context.Context, least, most time.Duration) error {
	d := least + time.Duration(rand.ExpFloat64()*float64(most-least)/8)
	return pause(ctx, min(d, most))
}

// priceOf makes a price of an article's number.
func priceOf(sku string) int64 {
	n := int64(0)
	for _, c := range sku {
		n = (n*31 + int64(c)) % 4000
	}
	return 250 + n
}
