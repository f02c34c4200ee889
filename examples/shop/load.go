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
	turn   atomic.Int64 // of the customers

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

// place places an order with a customer's token, and counts the result. Each order has
// a call ID of its own.
func (l *load) place(ctx context.Context, token string, o Order, opts ...amqprpc.CallOption) (Receipt, error) {
	opts = append(opts, amqprpc.WithCallID(fmt.Sprintf("order-%s-%d", l.run, l.last.Add(1))))
	receipt, err := PlaceOrder.Call(withToken(ctx, token), l.web.Client, o, opts...)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.result[amqprpc.CodeOf(err)]++
	return receipt, err
}

// start lets workers place orders.
func (l *load) start(ctx context.Context) {
	ctx, l.cancel = context.WithCancel(ctx)
	for range workers {
		l.ended.Go(func() {
			for l.pace.Wait(ctx) == nil {
				token := l.tokens[1+l.turn.Add(1)%(customers-1)] // the first one is greedy
				// An order that has begun ends, though the load ends. Its error is counted.
				_, _ = l.place(context.WithoutCancel(ctx), token, order())
			}
		})
	}
}

// stop ends the load and waits for its last orders.
func (l *load) stop() {
	l.cancel()
	l.ended.Wait()
}

// counts returns how many orders were placed, and how many have failed.
func (l *load) counts() (placed, failed int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for code, n := range l.result {
		if code != amqprpc.CodeOK {
			failed += n
		}
	}
	return l.result[amqprpc.CodeOK], failed
}
