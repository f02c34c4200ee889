package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
)

// Query asks for the prices of something.
type Query struct {
	Item string `json:"item"`
}

// Price is one of them.
type Price struct {
	Item  string `json:"item"`
	Cents int    `json:"cents"`
}

// Prices is the contract of the price feed: one request, any number of messages in answer.
const Prices amqprpc.ServerStream[Query, Price] = "examples.prices"

// market serves the price feed.
type market struct {
	left chan error // why a reader's feed has ended
}

func newMarket() *market { return &market{left: make(chan error, 1)} }

// prices sends a price at each tick, until the reader has seen enough.
func (m *market) prices(ctx context.Context, q Query, out *amqprpc.Sender[Price]) error {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for cents := 100; ; cents += 2 {
		select {
		case <-tick.C:
		case <-ctx.Done(): // the reader is gone, wants no more, or the server stops
			m.left <- ctx.Err()
			return ctx.Err()
		}
		if err := out.Send(Price{q.Item, cents}); err != nil {
			m.left <- err
			return err
		}
	}
}

// followPrices reads prices until tea is too expensive.
func followPrices(ctx context.Context, cli *amqprpc.Client, m *market, out io.Writer) error {
	fmt.Fprintln(out, "A price feed")
	for p, err := range Prices.Call(ctx, cli, Query{Item: "tea"}) {
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "  %s costs %d cents\n", p.Item, p.Cents)
		if p.Cents >= 106 {
			break // ends the handler, too
		}
	}
	fmt.Fprintln(out, "  the reader leaves, and the handler ends:", amqprpc.CodeOf(<-m.left))
	return nil
}
