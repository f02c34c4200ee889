package demo

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
)

// customers call the shop until ctx ends, so that there is something to see. Some orders are
// wrong, as they are in life.
func customers(ctx context.Context, cli *amqprpc.Client) {
	var wg sync.WaitGroup
	each := func(every time.Duration, call func(context.Context)) {
		wg.Go(func() {
			for pause(ctx, every/2+time.Duration(rand.Int64N(int64(every)))) == nil {
				wg.Go(func() { call(ctx) })
			}
		})
	}
	each(120*time.Millisecond, func(ctx context.Context) { _, _ = placeOrder.Call(ctx, cli, someOrder(), quick) })
	each(80*time.Millisecond, func(ctx context.Context) {
		first := 1000
		if rand.IntN(50) == 0 {
			first -= oldOrders // before the first order
		}
		_, _ = findOrder.Call(ctx, cli, OrderQuery{ID: fmt.Sprintf("A-%d", first+rand.IntN(oldOrders))}, quick)
	})
	each(40*time.Millisecond, func(ctx context.Context) { _, _ = checkStock.Call(ctx, cli, StockQuery{SKU: someSKU()}, quick) })
	wg.Wait()
}

// quick bounds how many calls wait if the broker is gone.
var quick = amqprpc.WithTimeout(5 * time.Second)

func someSKU() string { return []string{"TEA-104", "TEA-22", "CUP-7", "POT-3"}[rand.IntN(4)] }

func someOrder() Order {
	o := exampleOrder
	o.Items = []Item{{SKU: someSKU(), Quantity: 1 + rand.IntN(4)}}
	switch rand.IntN(25) {
	case 0:
		o.Items[0].Quantity = 12
	case 1:
		o.Address = nil
	}
	return o
}
