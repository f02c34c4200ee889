// Package contender holds the clients and servers that rpcbench compares: the framework, and
// code that a user would write by hand on amqp091-go. All contenders echo a message over a
// queue.
package contender

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// The names of the contenders.
const (
	// Framework is amqprpc.
	Framework = "amqprpc"
	// Baseline is a careful client and server on the driver, written by somebody who knows
	// the driver and needs only calls. It has one channel, an exclusive reply queue, prefetch
	// 256, a goroutine and an ack for each request, no confirms, and a counter for
	// correlation ids.
	Baseline = "baseline"
	// ByHand makes the same choices on the wire as the framework: confirms, mandatory,
	// expiration, rpc-deadline, message ids, batched acks, a separate channel for publishing,
	// and prefetch 128.
	ByHand = "by-hand"
	// Tutorial is RabbitMQ's RPC tutorial as written: prefetch 1, the handler runs on the
	// consuming goroutine, and each caller has a client with a connection of its own.
	Tutorial = "tutorial"
	// Least is the least client and server on the wire that the framework promises, with frames
	// encoded by hand. It shows what the broker leaves possible, and is good for nothing else: it
	// has no timers, no heartbeats and no goroutine for a request, and does not reconnect.
	Least = "least"
	// Firehose sends streams and makes no calls. One channel publishes transient messages, one
	// consumes them without acknowledgements, and nothing holds the publisher back.
	Firehose = "firehose"
)

// CallTimeout limits a call whose ctx has no earlier deadline.
const CallTimeout = 30 * time.Second

// Options are a run's settings for a contender. A contender ignores options that mean nothing
// for it.
type Options struct {
	URL   string `json:"url"`
	Queue string `json:"queue"`

	// Payload is the size of the message in bytes. With 0 the message is an int.
	Payload int `json:"payload"`
	// Codec is json, msgpack or raw. Raw leaves bytes unchanged.
	Codec string `json:"codec"`

	QueueType  string `json:"queueType"` // classic or quorum
	Persistent bool   `json:"persistent"`

	// Concurrency limits the running handlers. With 0 the contender chooses.
	Concurrency int `json:"concurrency"`
	// Queues is the number of queues that calls use in turn; 0 means one. A server serves one
	// Part of the queues out of Parts; 0 parts means all queues.
	Queues int `json:"queues"`
	Part   int `json:"part"`
	Parts  int `json:"parts"`
	// Clients is the number of clients that share the callers; 0 means one. Each client has a
	// connection.
	Clients int `json:"clients"`

	// ClockSkew is the assumed difference of the clocks. Only Framework uses it; 0 means the
	// default.
	ClockSkew time.Duration `json:"clockSkew"`

	// MaxLength limits the request queue, which refuses further requests. Only Framework uses
	// it; 0 means no limit.
	MaxLength int `json:"maxLength"`

	// Streams serves streams beside calls. Only Framework uses it.
	Streams bool `json:"streams"`
	// Instances is the number of servers in one process; 0 means one. Only Framework uses it.
	Instances int `json:"instances"`

	Reply        string `json:"reply"` // resumable, exclusive or direct
	Unconfirmed  bool   `json:"unconfirmed"`
	NoMandatory  bool   `json:"noMandatory"`  // ByHand only
	NoExpiration bool   `json:"noExpiration"` // ByHand only
	NoDeadline   bool   `json:"noDeadline"`   // ByHand only: no rpc-deadline
	NoMessageID  bool   `json:"noMessageID"`  // ByHand only
}

// Work runs in the handler before the echo.
type Work func(ctx context.Context)

// Server serves until it is closed.
type Server interface {
	Close() error
}

// Client makes calls. Any number of goroutines may call at the same time.
type Client interface {
	// Call sends the message and checks the answer. An int message is n.
	Call(ctx context.Context, n int) error
	Close() error
}

// Serve starts a contender's server. The server is consuming when Serve returns.
func Serve(ctx context.Context, name string, o Options, work Work) (Server, error) {
	p, err := newPayload(o)
	if err != nil {
		return nil, err
	}
	var s Server
	switch name {
	case Framework:
		s, err = serveInstances(ctx, o, work)
	case Baseline:
		s, err = serveBaseline(o, p, work)
	case ByHand:
		s, err = serveByHand(o, p, work)
	case Tutorial:
		s, err = serveTutorial(o, p, work)
	case Least:
		s, err = serveLeast(o, p, work)
	case Firehose:
		s, err = serveFirehose(o, p)
	default:
		err = fmt.Errorf("there is no contender of that name")
	}
	if err != nil {
		return nil, fmt.Errorf("serve %s: %w", name, err)
	}
	return s, nil
}

// fleet is several clients that share the callers.
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

// Dropper is a client that can drop its connection.
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
	case Least:
		c, err = dialLeastClient(o, p)
	case Firehose:
		c, err = dialFirehose(o, p)
	default:
		err = fmt.Errorf("there is no contender of that name")
	}
	if err != nil {
		return nil, fmt.Errorf("dial %s: %w", name, err)
	}
	return c, nil
}
