package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"golang.org/x/time/rate"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/compress"
	"github.com/bbebcec1/amqprpc-go/middleware/idempotency"
)

const (
	exampleExpires = time.Minute // of the queues
	warm           = 150         // orders, after which Hedge knows what is usual
)

// demo runs the shop, breaks it, and prints what happens.
type demo struct {
	ctx      context.Context
	out      io.Writer
	platform *Platform
	logs     *logLines
	spans    spans
	stock    *Stock
	web      *Service // the client of customers
	load     *load
	running  []*process
}

// process is an instance of a service that runs.
type process struct {
	*Service
	instance string
	cable    *cable
	stop     context.CancelFunc
	served   chan error
}

// hasten lets circuit breakers open and close sooner, so that the demo takes seconds. Calls may
// take longer, and more of them may be hedged, so that a busy machine does not change what happens.
func hasten(c Config) Config {
	c.MetricsAddr = "127.0.0.1:0"
	c.BreakerLeast, c.BreakerWindow, c.BreakerOpenFor = 10, 250*time.Millisecond, 300*time.Millisecond
	c.CallTimeout, c.AttemptTimeout = 30*time.Second, 15*time.Second
	c.HedgeShare = 1
	return c
}

// newDemo makes the platform, and the client of the customers.
func newDemo(ctx context.Context, url string, out io.Writer) (*demo, error) {
	login, err := NewLogin()
	if err != nil {
		return nil, err
	}
	d := &demo{ctx: ctx, out: out, logs: &logLines{}, spans: spans{tracetest.NewInMemoryExporter()}, stock: NewStock()}
	d.platform = &Platform{
		Config: hasten(production()), Logs: d.logs.handler(), Spans: d.spans, Login: login,
	}
	d.platform.URL = url
	d.platform.Answers = idempotency.NewMemoryStore(100_000, d.platform.RememberFor)
	d.load = &load{result: make(map[amqprpc.Code]int), run: fmt.Sprint(time.Now().UnixNano()), pace: rate.NewLimiter(ordersPerSecond, workers)}
	for i := range customers {
		token, err := login.Sign(fmt.Sprintf("customer-%d", i), time.Hour, string(PlaceOrder))
		if err != nil {
			return nil, err
		}
		d.load.tokens = append(d.load.tokens, token)
	}
	d.web, err = d.platform.NewService(Spec{Name: "web", Instance: "web-1", Token: customerToken, Encoding: compress.Gzip{}})
	d.load.web = d.web
	return d, err
}

// start runs an instance of a service, and returns when it serves.
func (d *demo) start(instance string, newService func(p *Platform, instance string, conn ...amqprpc.ConnOption) (*Service, error)) (*process, error) {
	p := &process{instance: instance, cable: newCable(), served: make(chan error, 1)}
	var err error
	if p.Service, err = newService(d.platform, instance, amqprpc.WithDialer(p.cable.Dial)); err != nil {
		return nil, err
	}
	serving, stop := context.WithCancel(d.ctx)
	p.stop = stop
	go func() { p.served <- p.Run(serving) }()
	d.running = append(d.running, p)
	var ended, why error
	err = d.wait(instance+" starts", func() bool {
		select {
		case ended = <-p.served:
			p.served <- nil
			return d.ctx.Err() == nil // else it has ended because the demo does
		default:
			ready := p.Ready()
			if d.ctx.Err() == nil { // afterwards, it only says that Serve has returned
				why = ready
			}
			return ready == nil
		}
	})
	if err != nil && why != nil {
		err = fmt.Errorf("%w: %w", err, why)
	}
	return p, errors.Join(err, ended)
}

// kill ends a process as kill -9 does: its connections break, and nothing that it still does
// reaches the broker.
func (d *demo) kill(p *process) {
	p.cable.Cut()
	p.stop()
	<-p.served // nobody sees the error of a dead process
	p.served <- nil
}

// close stops all that run: callers first, so that each handler still gets its answers.
func (d *demo) close() error {
	err := d.web.Close()
	for _, name := range []string{"orders", "inventory", "pricing"} {
		for _, p := range d.running {
			if strings.HasPrefix(p.instance, name) {
				p.stop()
				err = errors.Join(err, <-p.served)
			}
		}
	}
	return err
}

// wait waits until it is true.
func (d *demo) wait(what string, isTrue func() bool) error {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !isTrue() {
		select {
		case <-tick.C:
		case <-d.ctx.Done():
			return fmt.Errorf("%s: %w", what, d.ctx.Err())
		}
	}
	return nil
}

func (d *demo) title(format string, args ...any) { fmt.Fprintf(d.out, "\n== "+format+"\n", args...) }
func (d *demo) say(format string, args ...any)   { fmt.Fprintf(d.out, "  "+format+"\n", args...) }

// trace waits for the newest trace that is as asked, and returns it.
func (d *demo) trace(what string, is func([]tracetest.SpanStub) bool) (found []tracetest.SpanStub, err error) {
	err = d.wait(what, func() bool {
		d.flush()
		for _, t := range d.spans.traces() {
			if is(t) {
				found = t
			}
		}
		return found != nil
	})
	return found, err
}

// flush makes the services export their spans.
func (d *demo) flush() {
	for _, p := range d.running {
		if err := p.traces.ForceFlush(d.ctx); err != nil {
			p.Log.Warn("flush", slog.Any("error", err)) // a process that was killed
		}
	}
	if err := d.web.traces.ForceFlush(d.ctx); err != nil {
		d.web.Log.Warn("flush", slog.Any("error", err))
	}
}
