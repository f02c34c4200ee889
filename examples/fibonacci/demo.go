package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
)

// both runs server and client in one process, with a private broker if there is no URL, and
// shows the result of different calls.
func (p *program) both(ctx context.Context) (err error) {
	url := p.url
	if url == "" {
		broker := amqptest.NewBroker()
		defer broker.Close()
		url = broker.URL()
		p.printf("A broker, a server and a client, all in this process. (-url plays on a RabbitMQ.)\n")
	} else {
		p.printf("A server and a client in this process, and the broker %s.\n", at(url))
	}
	cli, err := p.dial(ctx, url)
	if err != nil {
		return err
	}
	defer cli.Close()

	srv := newServer(url, amqprpc.WithLogger(p.log), p.chain())
	serving, stop := context.WithCancel(ctx)
	served := make(chan error, 1)
	go func() { served <- srv.Serve(serving) }()
	stopped := false
	defer func() {
		stop()
		if !stopped {
			err = errors.Join(err, <-served)
		}
	}()
	select {
	case <-srv.Ready():
	case err := <-served:
		stopped = true
		return err
	}

	d := &demo{program: p, cli: cli, srv: srv}
	for i, show := range []func(context.Context) error{
		d.one, d.hundred, d.serversError, d.bound, d.undecodable, d.nobody, d.deadline,
	} {
		p.printf("\n%d. ", i+1)
		if err := show(ctx); err != nil {
			return err
		}
	}

	stop()
	stopped = true
	if err := <-served; err != nil {
		return err
	}
	p.printf("\nThe server has stopped: %d requests handled, none left unanswered.\n", srv.Stats().Handled)
	return nil
}

// demo is the sequence of calls of role both. Each step checks its result, so an unexpected
// result ends the program with an error.
type demo struct {
	*program
	cli *amqprpc.Client
	srv *amqprpc.Server
}

func (d *demo) title(format string, args ...any) { d.printf(format+"\n", args...) }

func (d *demo) line(format string, args ...any) { d.printf("   "+format+"\n", args...) }

func (d *demo) one(ctx context.Context) error {
	d.title("One call, as in the tutorial")
	start := time.Now()
	got, err := Fib.Call(ctx, d.cli, d.n)
	if err != nil {
		return err
	}
	d.line("fib(%d) = %d", d.n, got)
	d.line("answered in %s", took(start))
	return nil
}

// hundred makes a hundred calls at once with one client, and checks that each call gets its
// own answer.
func (d *demo) hundred(ctx context.Context) error {
	d.title("A hundred calls at once, over the same client")
	const calls = 100
	var (
		answers [calls]int64
		errs    [calls]error
		wg      sync.WaitGroup
	)
	start := time.Now()
	for i := range calls {
		wg.Go(func() { answers[i], errs[i] = Fib.Call(ctx, d.cli, i%(maxN+1)) })
	}
	wg.Wait()
	if err := errors.Join(errs[:]...); err != nil {
		return err
	}
	for i, got := range answers {
		if n := i % (maxN + 1); n >= 2 && got != answers[n-1]+answers[n-2] {
			return fmt.Errorf("fib(%d) = %d is not the sum of the two before it", n, got)
		}
	}
	d.line("fib(0) = %d, fib(1) = %d, … fib(%d) = %d", answers[0], answers[1], maxN, answers[maxN])
	d.line("%d answers in %s, each to its own question: fib(n) = fib(n-1) + fib(n-2) throughout", calls, took(start))
	return nil
}

func (d *demo) serversError(ctx context.Context) error {
	d.title("The server's own error, for fib(-1)")
	_, err := Fib.Call(ctx, d.cli, -1)
	return d.expect(err, amqprpc.CodeInvalidArgument)
}

func (d *demo) bound(ctx context.Context) error {
	d.title("A bound of the server's, for fib(%d)", maxN+1)
	_, err := Fib.Call(ctx, d.cli, maxN+1)
	return d.expect(err, amqprpc.CodeOutOfRange)
}

func (d *demo) undecodable(ctx context.Context) error {
	d.title("A body that does not decode: the text \"thirty\", where the server takes a number")
	_, err := amqprpc.Call[string, int64](ctx, d.cli, string(Fib), "thirty")
	return d.expect(err, amqprpc.CodeInvalidArgument)
}

func (d *demo) nobody(ctx context.Context) error {
	d.title("A call to a queue that nobody serves, with ten seconds to wait")
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	start := time.Now()
	_, err := amqprpc.Call[int, int64](ctx, d.cli, "rpc_queue.nobody", 30)
	elapsed := took(start)
	if err := d.expect(err, amqprpc.CodeUnavailable); err != nil {
		return err
	}
	d.line("known after %s, not after ten seconds", elapsed)
	return nil
}

func (d *demo) deadline(ctx context.Context) error {
	const allowed = 250 * time.Millisecond
	d.title("A call that meets its deadline: fib(90) by plain recursion, in %v", allowed)
	start := time.Now()
	_, err := Recursive.Call(ctx, d.cli, 90, amqprpc.WithTimeout(allowed))
	if code := amqprpc.CodeOf(err); code != amqprpc.CodeDeadlineExceeded {
		return fmt.Errorf("expected %s, got %w", amqprpc.CodeDeadlineExceeded, err)
	}
	d.line("deadline_exceeded after %s", took(start))

	// The deadline travels with the request, so the handler's ctx has the same deadline.
	ctx, cancel := context.WithTimeout(ctx, d.patient)
	defer cancel()
	for d.srv.Stats().InFlight > 0 {
		select {
		case <-time.After(time.Millisecond):
		case <-ctx.Done():
			return errors.New("the handler still runs")
		}
	}
	d.line("and the server has stopped computing, since nobody waits any more")
	return nil
}

// expect prints a call's error and checks its code.
func (d *demo) expect(err error, code amqprpc.Code) error {
	if !errors.Is(err, code) { // also works for errors of the server
		return fmt.Errorf("expected an error %s, got %v", code, err)
	}
	d.line("code     %s", amqprpc.CodeOf(err))
	var e *amqprpc.Error
	if errors.As(err, &e) {
		d.line("message  %s", e.Message())
	}
	if b, ok := amqprpc.Detail[Bounds](err, "bounds"); ok {
		d.line("detail   bounds: %d to %d", b.Min, b.Max)
	}
	d.line("outcome  %s: %s", amqprpc.OutcomeOf(err), meaning[amqprpc.OutcomeOf(err)])
	return nil
}

// meaning explains each outcome to a caller.
var meaning = map[amqprpc.Outcome]string{
	amqprpc.OutcomeUnknown:     "a handler may have run",
	amqprpc.OutcomeNotSent:     "the request never left",
	amqprpc.OutcomeNotExecuted: "no handler ran, or ever will",
	amqprpc.OutcomeExecuted:    "the handler ran, and answered so",
}

// took returns the time since start, rounded for the reader.
func took(start time.Time) time.Duration {
	d := time.Since(start)
	if d < time.Millisecond {
		return d.Round(time.Microsecond)
	}
	return d.Round(100 * time.Microsecond)
}
