package main

import (
	"context"
	"fmt"
	"sync"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
)

// inventory reserves goods.
type inventory struct {
	stock *Stock
}

// newInventory makes an instance of the service. All instances share the stock.
func newInventory(p *Platform, stock *Stock, instance string, conn ...amqprpc.ConnOption) (*Service, error) {
	s, err := p.NewService(Spec{
		Name: "inventory", Instance: instance, Conn: conn, Limits: p.Services,
		Encoding: zstandard, Token: p.Login.source("inventory"),
	})
	if err != nil {
		return nil, err
	}
	i := &inventory{stock: stock}
	Reserve.Register(s.Server, i.reserve, queue(), s.once())
	return s, nil
}

// reserve is the handler. Its effect must not happen twice for one order.
func (i *inventory) reserve(ctx context.Context, _ Reservation) (Parcel, error) {
	req, _ := amqprpc.RequestFromContext(ctx)
	return i.stock.Pack(ctx, req.ID())
}

// Stock stands for the database of the inventory.
type Stock struct {
	mu    sync.Mutex
	packs map[string]int // how often each order was packed
	n     int
}

// NewStock makes an empty stock of parcels.
func NewStock() *Stock { return &Stock{packs: make(map[string]int)} }

// Pack packs the parcel of an order. In a real database, the transaction should also store the
// number of the order under a unique key: that closes the last gap, between the transaction
// and the answer in the store of the idempotency middleware.
func (s *Stock) Pack(ctx context.Context, order string) (Parcel, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return Parcel{}, err
	}
	s.n++
	s.packs[order]++
	return Parcel{Number: fmt.Sprintf("parcel %d", s.n)}, nil
}

// Packed returns how many orders were packed, and how many of them more than once.
func (s *Stock) Packed() (orders, twice int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range s.packs {
		if n > 1 {
			twice++
		}
	}
	return len(s.packs), twice
}
