package main

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"golang.org/x/time/rate"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
)

const (
	customers       = 100
	ordersPerSecond = 100
	workers         = 8
)

// load places orders of many customers, until stop.
type load struct {
	web    *Service
	tokens []string // of the customers
	run    string   // makes the order numbers of each run unique
	pace   *rate.Limiter
	last   atomic.Int64 // number of an order

	mu     sync.Mutex
	result map[amqprpc.Code]int

	cancel context.CancelFunc
	ended  sync.WaitGroup
}

// order is a basket of 40 items: large enough to be compressed.
func order() Order {
	var o Order
	for i := range 40 {
		o.Lines = append(o.Lines, Line{Item: fmt.Sprintf("green tea, harvest %d", 1980+i), Count: 1 + i%3})
	}
	return o
}

// place places one order, with its number as the ID of the call.
func (l *load) place(ctx context.Context, opts ...amqprpc.CallOption) (Receipt, error) {
	n := l.last.Add(1)
	ctx = withToken(ctx, l.tokens[n%int64(len(l.tokens))])
	return PlaceOrder.Call(ctx, l.web.Client, order(), append(opts, amqprpc.WithCallID(fmt.Sprintf("order-%s-%d", l.run, n)))...)
}

// start lets workers place orders.
func (l *load) start(ctx context.Context) {
	ctx, l.cancel = context.WithCancel(ctx)
	l.result = make(map[amqprpc.Code]int)
	for range workers {
		l.ended.Go(func() {
			for l.pace.Wait(ctx) == nil {
				// An order that has begun ends, though the load ends.
				_, err := l.place(context.WithoutCancel(ctx))
				l.mu.Lock()
				l.result[amqprpc.CodeOf(err)]++
				l.mu.Unlock()
			}
		})
	}
}

// stop ends the load and waits for its last orders.
func (l *load) stop() {
	l.cancel()
	l.ended.Wait()
}

// count returns how many orders have ended with a code.
func (l *load) count(code amqprpc.Code) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.result[code]
}
