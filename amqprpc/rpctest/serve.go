// Package rpctest runs handlers in a test: a broker, a server and a client in one line.
//
//	cli := rpctest.Serve(t, func(srv *amqprpc.Server) { PlaceOrder.Register(srv, placeOrder) })
//	receipt, err := PlaceOrder.Call(t.Context(), cli, Order{Item: "tea"})
//
// The broker is [amqptest]'s, within the process and without a network, so that Serve
// works in a [testing/synctest] bubble too.
package rpctest

import (
	"context"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
)

// TB is what Serve needs of [testing.TB], which implements it.
type TB interface {
	Helper()
	Cleanup(func())
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
	Output() io.Writer
}

// patience is how long the server may take to be ready, and the drain.
const patience = 10 * time.Second

// Serve starts a broker and a server with the handlers that register puts on it, and
// returns a client with opts. When the test ends, client, server and broker end in that
// order, and the test fails if the server does not drain. What the server and the client
// log at warn and above, such as the panic of a handler, is in the test's output.
//
// To give the server options, give them to the handlers ([amqprpc.HandlerOption]), or
// set up the server yourself with [amqptest.Start].
func Serve(t TB, register func(*amqprpc.Server), opts ...amqprpc.ClientOption) *amqprpc.Client {
	t.Helper()
	out := &output{w: t.Output()}
	t.Cleanup(out.close)
	broker := amqptest.Start(t, amqptest.WithoutListener())
	log := slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{Level: slog.LevelWarn}))
	onWire := []amqprpc.ConnOption{amqprpc.WithDialer(broker.Dial), amqprpc.WithLogger(log)}

	srv := amqprpc.NewServer(broker.URL(), onWire[0], onWire[1], amqprpc.WithDrainTimeout(patience))
	register(srv)
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-served; err != nil {
			t.Errorf("rpctest: %v", err)
		}
	})
	late := time.NewTimer(patience)
	defer late.Stop()
	select {
	case <-srv.Ready():
	case err := <-served:
		served <- nil
		t.Fatalf("rpctest: %v", err)
	case <-late.C:
		t.Fatalf("rpctest: the server is not ready after %v: %v", patience, srv.Status().Err())
	}

	cli, err := amqprpc.Dial(ctx, broker.URL(), append([]amqprpc.ClientOption{onWire[0], onWire[1]}, opts...)...)
	if err != nil {
		t.Fatalf("rpctest: %v", err)
	}
	t.Cleanup(func() { cli.Close() })
	return cli
}

// output is the test's output until the test ends: a handler that the server could not
// wait for must not write to it afterwards.
type output struct {
	mu sync.Mutex
	w  io.Writer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.w.Write(p)
}

func (o *output) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.w = io.Discard
}
