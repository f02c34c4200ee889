package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/middleware"
)

// run runs the whole demo.
func run(ctx context.Context, url string, out io.Writer) (err error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	d, err := newDemo(ctx, url, out)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.close()) }()
	newInventory := func(p *Platform, instance string, conn ...amqprpc.ConnOption) (*Service, error) {
		return newInventory(p, d.stock, instance, conn...)
	}
	pricing1, err := d.start("pricing-1", newPricing)
	if err != nil {
		return err
	}
	inventory1, err := d.start("inventory-1", newInventory)
	if err != nil {
		return err
	}
	orders, err := d.start("orders-1", newOrders)
	if err != nil {
		return err
	}
	if err := d.oneOrder(); err != nil {
		return err
	}
	if err := d.refusals(); err != nil {
		return err
	}
	pricing2, err := d.start("pricing-2", newPricing)
	if err != nil {
		return err
	}
	d.load.start(ctx)
	defer d.load.stop()
	if err := d.hang(pricing1, pricing2, orders); err != nil {
		return err
	}
	if err := d.outage(inventory1, orders, func() error { _, err := d.start("inventory-2", newInventory); return err }); err != nil {
		return err
	}
	d.load.stop()
	d.books()
	return d.printScrape(orders)
}

// oneOrder places an order, and prints its trace and its log lines.
func (d *demo) oneOrder() error {
	d.title("one order: its trace, and its log lines")
	receipt, err := d.load.place(d.ctx, d.load.tokens[0], order())
	if err != nil {
		return err
	}
	t, err := d.trace("the trace of an order", func([]tracetest.SpanStub) bool { return true })
	if err != nil {
		return err
	}
	printTree(d.out, t)
	for _, line := range d.logs.with(traceID(t)) {
		d.say("%s", line)
	}
	d.say("the customer gets %s for %d cents", receipt.Parcel, receipt.Cents)
	return nil
}

// refusals shows what callers get who may not call, or call too much.
func (d *demo) refusals() error {
	d.title("refusals")
	thief, err := NewLogin()
	if err != nil {
		return err
	}
	forged, err := thief.Sign("customer-1", time.Hour, string(PlaceOrder))
	if err != nil {
		return err
	}
	foreign, err := d.platform.Login.Sign("customer-1", time.Hour, string(Quote))
	if err != nil {
		return err
	}
	for _, c := range []struct {
		what, token string
		order       Order
	}{
		{"no token", "", order()},
		{"a forged token", forged, order()},
		{"a token for another queue", foreign, order()},
		{"an empty order", d.load.tokens[1], Order{}},
	} {
		_, err := d.load.place(d.ctx, c.token, c.order)
		d.say("%s: %v, outcome %v", c.what, err, amqprpc.OutcomeOf(err))
	}
	return d.greedy()
}

// greedy places many orders of one customer at once.
func (d *demo) greedy() error {
	const many = 100
	never := amqprpc.WithMiddleware(middleware.Retry(middleware.WithRetryAttempts(1))) // to see each refusal
	errs := make(chan error, many)
	for range many {
		go func() {
			_, err := d.load.place(d.ctx, d.load.tokens[0], order(), never)
			errs <- err
		}()
	}
	codes, later := make(map[amqprpc.Code]int), 0
	for range many {
		err := <-errs
		codes[amqprpc.CodeOf(err)]++
		if _, ok := amqprpc.RetryAfter(err); ok {
			later++
		}
	}
	refused := codes[amqprpc.CodeResourceExhausted]
	if refused == 0 {
		return fmt.Errorf("no order was refused: %v", codes)
	}
	d.say("%d orders of one customer at once: %d are refused with %v, and %d of these errors say when to call again",
		many, refused, amqprpc.CodeResourceExhausted, later)
	return nil
}

// hang lets a server hang, and then kills it.
func (d *demo) hang(sick, healthy, orders *process) error {
	d.title("%s hangs, and is killed", sick.instance)
	if err := d.placeMore(warm); err != nil {
		return err
	}
	won := func() int { return d.counter(orders, "shop_hedges_total", string(Quote), "second") }
	before := won()
	_, failed := d.load.counts()
	sick.cable.Freeze()
	defer sick.cable.Cut() // nothing waits for a frozen process, though this step fails
	if err := d.wait("hedging", func() bool { return won() >= before+3 }); err != nil {
		return err
	}
	t, err := d.trace("a hedged call", func(t []tracetest.SpanStub) bool { return hasEvent(t, string(Quote), "hedge", "second") })
	if err != nil {
		return err
	}
	// When second attempts have used up their share, all orders wait for what the sick server has.
	if err := d.standstill(); err != nil {
		return err
	}
	hedged := won() - before
	d.kill(sick)
	d.say("hedge: the second attempt won in %d calls, for example:", hedged)
	printTree(d.out, t)
	if err := d.wait("requests are delivered again", func() bool { return healthy.Server.Stats().Redelivered > 0 }); err != nil {
		return err
	}
	d.say("the broker delivers what %s had to %s: %d requests", sick.instance, healthy.instance, healthy.Server.Stats().Redelivered)
	return d.sayFailed(failed)
}

// placeMore waits until so many orders more are placed.
func (d *demo) placeMore(n int) error {
	before, _ := d.load.counts()
	return d.wait("orders are placed", func() bool {
		placed, _ := d.load.counts()
		return placed >= before+n
	})
}

// standstill waits until no order is placed any more.
func (d *demo) standstill() error {
	last, since := 0, time.Now()
	return d.wait("every order waits for a server that hangs", func() bool {
		if placed, _ := d.load.counts(); placed != last {
			last, since = placed, time.Now()
		}
		return time.Since(since) > 300*time.Millisecond
	})
}

// sayFailed says how many orders more have failed, and why.
func (d *demo) sayFailed(before int) error {
	_, failed := d.load.counts()
	d.say("%d orders failed meanwhile", failed-before)
	return nil
}

// outage kills the only server of a queue, and replaces it.
func (d *demo) outage(only, orders *process, replace func() error) error {
	d.title("%s is killed, the only one, and replaced", only.instance)
	retries := func() int {
		return d.counter(orders, "shop_retries_total", string(Reserve), "unavailable")
	}
	before := retries()
	_, failed := d.load.counts()
	d.kill(only)
	if err := d.wait("the breaker opens", func() bool { return d.logs.has(`msg="circuit breaker"`, string(Reserve), "to=open") }); err != nil {
		return err
	}
	if err := replace(); err != nil {
		return err
	}
	if err := d.wait("the breaker closes", func() bool { return d.logs.has(`msg="circuit breaker"`, string(Reserve), "to=closed") }); err != nil {
		return err
	}
	if err := d.placeMore(workers); err != nil { // all that waited for the breaker
		return err
	}
	d.say("breaker:")
	for _, line := range d.logs.with(`msg="circuit breaker"`, string(Reserve)) {
		d.say("%s", line)
	}
	t, err := d.trace("a call that waited for the breaker", func(t []tracetest.SpanStub) bool {
		return hasEvent(t, string(Reserve), "retry", "circuit breaker") && value(t[0], "rpc.status_code") == "ok"
	})
	if err != nil {
		return err
	}
	d.say("retry: %d attempts more, for example:", retries()-before)
	printTree(d.out, t)
	return d.sayFailed(failed)
}

// books compares what was ordered with what was packed.
func (d *demo) books() {
	d.title("the books")
	placed, _ := d.load.counts()
	packed, twice := d.stock.Packed()
	d.say("%d orders were placed, %d were packed, %d of them twice", placed, packed, twice)
}
