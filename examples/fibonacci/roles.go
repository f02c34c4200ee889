package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"syscall"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
	"github.com/bbebcec1/amqprpc-go/middleware"
)

// client asks for one number, like the tutorial's client.
func (p *program) client(ctx context.Context) error {
	brokerURL := p.url
	if brokerURL == "" {
		brokerURL = p.sharedURL()
	}
	cli, err := p.dial(ctx, brokerURL)
	if err != nil {
		return err
	}
	defer cli.Close()
	return p.ask(ctx, cli)
}

// sharedURL returns the URL of the first server's broker.
func (p *program) sharedURL() string { return "amqp://guest:guest@" + p.addr + "/" }

// ask prints fib(n).
func (p *program) ask(ctx context.Context, cli *amqprpc.Client) error {
	ctx, cancel := context.WithTimeout(ctx, p.patient)
	defer cancel()
	got, err := Fib.Call(ctx, cli, p.n)
	switch {
	case errors.Is(err, amqprpc.CodeUnavailable), errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%w\nis a server running? -role server starts one", err)
	case err != nil:
		return err
	}
	p.printf("fib(%d) = %d\n", p.n, got)
	return nil
}

// dial connects a client. After p.patient, dial returns an error with the reason.
func (p *program) dial(ctx context.Context, brokerURL string) (*amqprpc.Client, error) {
	ctx, cancel := context.WithTimeout(ctx, p.patient)
	defer cancel()
	cli, err := amqprpc.Dial(ctx, brokerURL, amqprpc.WithLogger(p.log), p.chain())
	if errors.Is(err, context.DeadlineExceeded) {
		hint := "is a broker running there?"
		if p.url == "" {
			hint = "start a broker there with -role server, or give the -url of a RabbitMQ"
		}
		return nil, fmt.Errorf("%w\n%s", err, hint)
	}
	return cli, err
}

// at returns a broker's address without the URL's password.
func at(brokerURL string) string {
	u, err := url.Parse(brokerURL)
	if err != nil || u.Host == "" {
		return "of the URL"
	}
	return "at " + u.Host
}

// chain returns the middleware of both sides: with -v, one line for each call.
func (p *program) chain() amqprpc.MiddlewareOption {
	if p.verbose {
		return amqprpc.WithMiddleware(middleware.Logging(p.log))
	}
	return amqprpc.WithMiddleware()
}

// server serves until an interrupt and then drains.
func (p *program) server(ctx context.Context) error {
	brokerURL, where := p.url, "the broker "+at(p.url)
	if brokerURL == "" {
		brokerURL = p.sharedURL()
		broker, err := amqptest.Listen(p.addr)
		switch {
		case err == nil:
			defer broker.Close()
			where = "a broker of its own at " + p.addr + ", which keeps nothing when it stops"
		case errors.Is(err, syscall.EADDRINUSE):
			where = "the broker that is at " + p.addr + " already"
		default:
			return err
		}
	}
	p.printf("[*] Connecting to %s\n", where)
	srv := newServer(brokerURL, amqprpc.WithLogger(p.log), p.chain(), amqprpc.WithMiddleware(p.narrate))
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ctx) }()
	select {
	case err := <-served:
		return err
	case <-srv.Ready():
	}
	p.printf("[*] Awaiting RPC requests on %s. To exit press CTRL+C\n", Fib)
	err := <-served
	if err == nil {
		p.printf("[*] Stopped after %d requests, none left unanswered\n", srv.Stats().Handled)
	}
	return err
}

// narrate prints a line for each request, like the tutorial's server.
func (p *program) narrate(next amqprpc.Invoker) amqprpc.Invoker {
	return func(ctx context.Context, req *amqprpc.Request) (*amqprpc.Response, error) {
		resp, err := next(ctx, req)
		asked := "?" // for a message that does not decode
		if msg, merr := req.Message(); merr == nil {
			asked = fmt.Sprint(*msg.(*int))
		}
		switch {
		case err != nil:
			p.printf("[.] fib(%s): %v\n", asked, err)
		default:
			p.printf("[.] fib(%s)\n", asked)
		}
		return resp, err
	}
}
