package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http/httptest"
	"strings"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
)

// demo injects faults, and prints the answers of the probe and the log lines.
type demo struct {
	ctx    context.Context
	out    io.Writer
	srv    *amqprpc.Server
	broker *amqptest.Broker
	log    logLines

	started, release chan struct{} // the handler sends when it starts, and waits until it may end
}

func run(ctx context.Context, out io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	d := &demo{ctx: ctx, out: out, broker: amqptest.NewBroker()}
	defer d.broker.Close()
	logger := slog.New(slog.NewTextHandler(&d.log, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}))
	d.srv = amqprpc.NewServer(d.broker.URL(), amqprpc.WithLogger(logger), amqprpc.WithConnectionName("square-1"))
	d.started, d.release = make(chan struct{}), make(chan struct{})
	Square.Register(d.srv, func(_ context.Context, n int) (int, error) {
		d.started <- struct{}{}
		<-d.release
		return n * n, nil
	})
	d.show("before Serve", false, "")

	serving, stop := context.WithCancel(ctx)
	defer stop()
	served := make(chan error, 1)
	go func() { served <- d.srv.Serve(serving) }()
	d.show("serving", true, "queue is served")
	if err := d.queue(); err != nil {
		return err
	}
	d.broker.RefuseConnections()
	d.broker.CutConnections()
	d.show("the broker is gone", false, "connection refused")
	if err := d.broker.AcceptConnections(); err != nil {
		return err
	}
	d.show("the broker is back", true, "queue is served")
	if err := d.calls(stop); err != nil {
		return err
	}
	err := <-served
	d.show("the server has drained", false, "server has drained")
	return err
}

// calls calls the server while the broker has an alarm, and while the server drains.
func (d *demo) calls(stop func()) error {
	cli, err := amqprpc.Dial(d.ctx, d.broker.URL(), amqprpc.WithLogger(nil))
	if err != nil {
		return err
	}
	defer cli.Close()
	call := Square.Go(d.ctx, cli, 5)
	<-d.started
	d.broker.BlockPublishers("low on disk")
	d.release <- struct{}{} // the broker reports an alarm to publishers only, so the server must publish its reply
	d.show("the broker has an alarm", false, "blocked")
	d.broker.UnblockPublishers()
	d.show("the alarm is over", true, "unblocked")
	if _, err = call.Await(d.ctx); err != nil {
		return err
	}

	call = Square.Go(d.ctx, cli, 6)
	<-d.started
	stop()
	d.show("the server drains", false, "server drains")
	close(d.release)
	_, err = call.Await(d.ctx)
	return err
}

// queue deletes the server's queue, and declares it with other arguments.
func (d *demo) queue() error {
	conn, err := amqp.Dial(d.broker.URL())
	if err != nil {
		return err
	}
	defer conn.Close()
	ch, err := conn.Channel()
	if err != nil {
		return err
	}
	if _, err = ch.QueueDelete(string(Square), false, false, false); err != nil {
		return err
	}
	d.show("the queue was deleted; the server has declared it anew", true, "queue is served")
	if _, err = ch.QueueDelete(string(Square), false, false, false); err != nil {
		return err
	}
	if _, err = ch.QueueDeclare(string(Square), false, false, false, false, nil); err != nil {
		return err
	}
	d.show("the queue was deleted, and declared otherwise by somebody else", false, "PRECONDITION_FAILED")
	if _, err = ch.QueueDelete(string(Square), false, false, false); err != nil {
		return err
	}
	d.show("that queue was deleted", true, "queue is served")
	return nil
}

// show waits until the probe has the expected status and the log has a line with these words,
// and prints both.
func (d *demo) show(what string, healthy bool, words string) {
	var code int
	var why string
	for d.ctx.Err() == nil && !(((code == 200) == healthy) && code != 0 && d.log.has(words)) {
		select {
		case <-time.After(time.Millisecond):
		case <-d.ctx.Done():
		}
		w := httptest.NewRecorder()
		ready(d.srv)(w, nil)
		var status amqprpc.ServerStatus
		code, why = w.Code, ""
		if err := json.Unmarshal(w.Body.Bytes(), &status); err != nil {
			why = " " + err.Error()
		} else if err = status.Err(); err != nil {
			why = " " + err.Error()
		}
	}
	fmt.Fprintf(d.out, "%s\n  probe: %d%s\n", what, code, why)
	for _, line := range d.log.take() {
		fmt.Fprintln(d.out, "  log:  ", line)
	}
}

// logLines holds the lines that show has not printed yet.
type logLines struct {
	mu    sync.Mutex
	lines []string
}

func (l *logLines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, strings.TrimSpace(string(p)))
	return len(p), nil
}

func (l *logLines) has(words string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return words == "" || strings.Contains(strings.Join(l.lines, "\n"), words)
}

func (l *logLines) take() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	lines := l.lines
	l.lines = nil
	return lines
}
