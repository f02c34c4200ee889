// Package contender holds the clients and servers that are measured against each
// other: the framework, and what somebody would write by hand on amqp091-go instead of
// it. All of them echo a message over a queue.
package contender

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// The contenders' names.
const (
	// Framework is amqprpc.
	Framework = "amqprpc"
	// Baseline is a careful client and server on the driver, as somebody would write
	// them who knows the driver and wants calls and nothing else: one channel, an
	// exclusive reply queue, prefetch 256, a goroutine for each request, an
	// acknowledgement for each, no confirms, a counter for correlation ids.
	Baseline = "baseline"
	// ByHand makes the framework's choices on the wire, on the driver: confirms,
	// mandatory, expiration, rpc-deadline, message ids, acknowledgements gathered, a
	// channel of its own for publishing, prefetch 128.
	ByHand = "by-hand"
	// Tutorial is RabbitMQ's RPC tutorial as written: prefetch 1, the handler inline,
	// a client with a connection of its own for each caller.
	Tutorial = "tutorial"
)

// CallTimeout is how long a call may take, unless its ctx says otherwise.
const CallTimeout = 30 * time.Second

// Options are the choices that a run makes for a contender. Each contender heeds those
// that mean something for it.
type Options struct {
	URL   string `json:"url"`
	Queue string `json:"queue"`

	// Payload is the size of the message in bytes; 0 is an int.
	Payload int `json:"payload"`
	// Codec is json, msgpack or raw, which is bytes as they are.
	Codec string `json:"codec"`

	QueueType  string `json:"queueType"` // classic or quorum
	Persistent bool   `json:"persistent"`

	// Concurrency bounds the handlers in flight; 0 leaves it to the contender.
	Concurrency int `json:"concurrency"`
	// Queues is over how many queues calls go in turn; 0 is one. A server serves the Part
	// of them that it is given, of so many Parts; 0 parts is all.
	Queues int `json:"queues"`
	Part   int `json:"part"`
	Parts  int `json:"parts"`
	// Clients is how many clients, a connection each, callers are spread over; 0 is one.
	Clients int `json:"clients"`

	// ClockSkew is by how much the clocks are said to differ; Framework alone. 0 leaves
	// its default.
	ClockSkew time.Duration `json:"clockSkew"`

	// MaxLength bounds the request queue, which refuses what is beyond; Framework alone.
	// 0 is no bound.
	MaxLength int `json:"maxLength"`

	Reply        string `json:"reply"` // resumable, exclusive or direct
	Unconfirmed  bool   `json:"unconfirmed"`
	NoMandatory  bool   `json:"noMandatory"`  // ByHand alone
	NoExpiration bool   `json:"noExpiration"` // ByHand alone
	NoDeadline   bool   `json:"noDeadline"`   // ByHand alone: no rpc-deadline
	NoMessageID  bool   `json:"noMessageID"`  // ByHand alone
}

// Work is what a handler does before it echoes.
type Work func(ctx context.Context)

// Server serves until it is closed.
type Server interface {
	Close() error
}

// Client calls; any number of goroutines may at once.
type Client interface {
	// Call sends the message, with n in it if it is an int, and checks the answer.
	Call(ctx context.Context, n int) error
	Close() error
}

// Serve starts a contender's server, which is consuming when it returns.
func Serve(ctx context.Context, name string, o Options, work Work) (Server, error) {
	p, err := newPayload(o)
	if err != nil {
		return nil, err
	}
	var s Server
	switch name {
	case Framework:
		s, err = serveFramework(ctx, o, work)
	case Baseline:
		s, err = serveBaseline(o, p, work)
	case ByHand:
		s, err = serveByHand(o, p, work)
	case Tutorial:
		s, err = serveTutorial(o, p, work)
	default:
		err = fmt.Errorf("there is no contender of that name")
	}
	if err != nil {
		return nil, fmt.Errorf("serve %s: %w", name, err)
	}
	return s, nil
}

// fleet is several clients, over which callers are spread.
type fleet []Client

// Call implements Client.
func (f fleet) Call(ctx context.Context, n int) error { return f[n%len(f)].Call(ctx, n) }

// Drop implements Dropper.
func (f fleet) Drop() {
	for _, c := range f {
		if d, ok := c.(Dropper); ok {
			d.Drop()
		}
	}
}

// Close implements Client.
func (f fleet) Close() error {
	errs := make([]error, len(f))
	var wg sync.WaitGroup
	for i, c := range f {
		wg.Go(func() { errs[i] = c.Close() })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// Dropper is a client that can lose its connection.
type Dropper interface{ Drop() }

// Dial connects a contender's clients.
func Dial(ctx context.Context, name string, o Options) (Client, error) {
	if o.Clients <= 1 {
		return dial(ctx, name, o)
	}
	var f fleet
	for range o.Clients {
		c, err := dial(ctx, name, o)
		if err != nil {
			return nil, errors.Join(err, f.Close())
		}
		f = append(f, c)
	}
	return f, nil
}

func dial(ctx context.Context, name string, o Options) (Client, error) {
	p, err := newPayload(o)
	if err != nil {
		return nil, err
	}
	var c Client
	switch name {
	case Framework:
		c, err = dialFramework(ctx, o)
	case Baseline:
		c, err = dialBaseline(o, p)
	case ByHand:
		c, err = dialByHand(o, p)
	case Tutorial:
		c = newTutorialClients(o, p)
	default:
		err = fmt.Errorf("there is no contender of that name")
	}
	if err != nil {
		return nil, fmt.Errorf("dial %s: %w", name, err)
	}
	return c, nil
}
