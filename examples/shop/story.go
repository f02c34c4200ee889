package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/middleware"
)

// run runs the whole demo.
func run(ctx context.Context, url string, out io.Writer) (err error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
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
	d.refusals()
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
	receipt, err := d.load.place(d.ctx)
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

// refusals shows what callers get who may not, or who take too much.
func (d *demo) refusals() {
	d.title("refusals")
	show := func(who string, err error) { d.say("%-28s %v, outcome %v", who, err, amqprpc.OutcomeOf(err)) }
	call := func(token string, o Order) error {
		_, err := PlaceOrder.Call(withToken(d.ctx, token), d.web.Client, o)
		return err
	}
	show("no token:", call("", order()))
	thief, err := NewLogin()
	if err == nil {
		token, e := thief.Sign("customer-1", time.Hour, string(PlaceOrder))
		show("a forged token:", errors.Join(e, call(token, order())))
	}
	if token, err := d.platform.Login.Sign("customer-1", time.Hour, string(Quote)); err == nil {
		show("a token for another queue:", call(token, order()))
	}
	show("an empty order:", call(d.load.tokens[1], Order{}))

	// Option of a call: no retries, so that the refusals are seen.
	once := amqprpc.WithMiddleware(middleware.Retry(middleware.WithRetryAttempts(1)))
	greedy, refused := make([]*amqprpc.Future[Receipt], 100), 0
	for i := range greedy {
		greedy[i] = PlaceOrder.Go(withToken(d.ctx, d.load.tokens[0]), d.web.Client, order(), once)
	}
	var last error
	for _, f := range greedy {
		if _, err := f.Await(d.ctx); amqprpc.CodeOf(err) == amqprpc.CodeResourceExhausted {
			refused, last = refused+1, err
		}
	}
	_, later := amqprpc.RetryAfter(last)
	d.say("100 orders of one customer:  %d are refused with %v, which says when to call again: %v", refused, amqprpc.CodeOf(last), later)
}

// hang lets a server hang, and then kills it.
func (d *demo) hang(sick, healthy, orders *process) error {
	d.title("%s hangs, and is killed", sick.instance)
	if err := d.wait("warming up", func() bool { return d.load.count(amqprpc.CodeOK) >= warm }); err != nil {
		return err
	}
	won := func() int { return d.counter(orders, "shop_hedges_total", string(Quote), "second") }
	before, failed := won(), d.failed()
	sick.cable.Freeze()
	if err := d.wait("hedging", func() bool { return won() >= before+3 }); err != nil {
		return err
	}
	hedged := won() - before
	d.kill(sick)
	t, err := d.trace("a hedged call", func(t []tracetest.SpanStub) bool { return hasEvent(t, string(Quote), "hedge", "second") })
	if err != nil {
		return err
	}
	d.say("hedge: the second attempt won in %d calls, for example:", hedged)
	printTree(d.out, t)
	d.say("the broker gave %d requests of %s to %s", healthy.Server.Stats().Redelivered, sick.instance, healthy.instance)
	d.say("orders that failed: %d", d.failed()-failed)
	return nil
}

// outage kills the only server of a queue, and replaces it.
func (d *demo) outage(only, orders *process, replace func() error) error {
	d.title("%s is killed, the only one, and replaced", only.instance)
	retries := func() int {
		return d.counter(orders, "shop_retries_total", string(Reserve), "unavailable")
	}
	before, failed := retries(), d.failed()
	d.kill(only)
	if err := d.wait("the breaker opens", func() bool { return d.logs.has("circuit breaker", string(Reserve), "to=open") }); err != nil {
		return err
	}
	if err := replace(); err != nil {
		return err
	}
	if err := d.wait("the breaker closes", func() bool { return d.logs.has("circuit breaker", string(Reserve), "to=closed") }); err != nil {
		return err
	}
	placed := d.load.count(amqprpc.CodeOK)
	if err := d.wait("orders are placed again", func() bool { return d.load.count(amqprpc.CodeOK) >= placed+warm/3 }); err != nil {
		return err
	}
	for _, line := range d.logs.with("circuit breaker") {
		if strings.Contains(line, string(Reserve)) {
			d.say("%s", line)
		}
	}
	t, err := d.trace("a call that waited for the breaker", func(t []tracetest.SpanStub) bool {
		return hasEvent(t, string(Reserve), "retry", "circuit breaker") && value(t[0], "rpc.status_code") == "ok"
	})
	if err != nil {
		return err
	}
	d.say("retry: %d attempts more, for example:", retries()-before)
	printTree(d.out, t)
	d.say("orders that failed, with aborted: %d", d.failed()-failed)
	return nil
}

// failed returns how many orders of the load have failed.
func (d *demo) failed() (n int) {
	d.load.mu.Lock()
	defer d.load.mu.Unlock()
	for code, count := range d.load.result {
		if code != amqprpc.CodeOK {
			n += count
		}
	}
	return n
}

// books compares what was ordered with what was packed.
func (d *demo) books() {
	d.title("the books")
	packed, twice := d.stock.Packed()
	d.say("orders of the load that were placed: %d", d.load.count(amqprpc.CodeOK))
	d.say("parcels that were packed, refusals and failures aside: %d", packed)
	d.say("orders that were packed twice: %d", twice)
}

// scrape gets the metrics of a service as Prometheus does.
func (d *demo) scrape(p *process) ([]string, error) {
	req, err := http.NewRequestWithContext(d.ctx, http.MethodGet, "http://"+p.listener.Addr().String()+"/metrics", nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/openmetrics-text; version=1.0.0")
	req.Close = true
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	var lines []string
	scan := bufio.NewScanner(resp.Body)
	for scan.Scan() {
		lines = append(lines, scan.Text())
	}
	return lines, scan.Err()
}

// counter returns a counter of a scrape: that of a name with these values of labels.
func (d *demo) counter(p *process, name string, labels ...string) int {
	lines, err := d.scrape(p)
	if err != nil {
		return 0
	}
	for _, line := range lines {
		is := strings.HasPrefix(line, name+"{")
		for _, l := range labels {
			is = is && strings.Contains(line, strconv.Quote(l))
		}
		if is {
			fields := strings.Fields(line[strings.LastIndex(line, "}")+1:])
			n, _ := strconv.ParseFloat(fields[0], 64)
			return int(n)
		}
	}
	return 0
}

// printScrape prints some lines of what Prometheus gets from a service.
func (d *demo) printScrape(p *process) error {
	d.title("a scrape of %s", p.instance)
	lines, err := d.scrape(p)
	if err != nil {
		return err
	}
	for _, line := range lines {
		for _, name := range []string{
			"rpc_server_call_duration_seconds_count", "rpc_client_call_duration_seconds_count", "shop_",
			"amqprpc_server_ready", "amqprpc_server_handled_total", "amqprpc_client_resent_total",
		} {
			if strings.HasPrefix(line, name) {
				fmt.Fprintln(d.out, " ", line)
			}
		}
	}
	return nil
}
