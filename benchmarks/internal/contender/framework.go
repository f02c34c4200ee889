package contender

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/codec"
)

// raw is a codec that leaves bytes unchanged.
type raw struct{}

func (raw) ContentType() string { return "application/octet-stream" }

func (raw) Marshal(v any) ([]byte, error) {
	switch v := v.(type) {
	case []byte:
		return v, nil
	case *[]byte:
		return *v, nil
	default:
		return nil, fmt.Errorf("raw: %T is not []byte", v)
	}
}

func (raw) Unmarshal(data []byte, v any) error {
	p, ok := v.(*[]byte)
	if !ok {
		return fmt.Errorf("raw: %T is not *[]byte", v)
	}
	*p = bytes.Clone(data) // a codec must not keep data
	return nil
}

func (o Options) codec() codec.Codec {
	switch o.Codec {
	case "msgpack":
		return codec.MsgPack{}
	case "raw":
		return raw{}
	default:
		return codec.JSON{}
	}
}

// frameworkServer is amqprpc's server, with a handler that echoes.
type frameworkServer struct {
	cancel context.CancelFunc
	served chan error
	meter  meter
	ends   Ends
}

func serveFramework(ctx context.Context, o Options, work Work) (Server, error) {
	s := &frameworkServer{served: make(chan error, 1)}
	server := []amqprpc.ServerOption{amqprpc.WithLogger(nil)}
	if o.Streams {
		server = append(server, amqprpc.WithDialer(s.meter.dial))
	}
	if o.ClockSkew > 0 {
		server = append(server, amqprpc.WithClockSkew(o.ClockSkew))
	}
	srv := amqprpc.NewServer(o.URL, server...)
	queue := amqprpc.Queue{Type: o.QueueType}
	if o.MaxLength > 0 {
		queue.MaxLength, queue.Overflow = o.MaxLength, "reject-publish"
	}
	opts := []amqprpc.HandlerOption{
		amqprpc.WithQueue(queue),
		amqprpc.WithConcurrency(o.Concurrency),
	}
	if o.Codec != "" && o.Codec != "json" {
		opts = append(opts, amqprpc.WithAcceptedCodecs(o.codec()))
	}
	if o.Streams {
		registerStreams(srv, o, &s.ends, slices.Clone(opts))
	}
	if o.Instances > 0 {
		opts = append(opts, amqprpc.WithBroadcast())
	}
	for _, q := range o.served() {
		switch {
		case o.Payload == 0:
			registerEcho[int](srv, q, work, opts)
		case o.Codec == "raw":
			registerEcho[[]byte](srv, q, work, opts)
		default:
			registerEcho[string](srv, q, work, opts)
		}
	}
	run, cancel := context.WithCancel(context.WithoutCancel(ctx))
	s.cancel = cancel
	go func() { s.served <- srv.Serve(run) }()
	select {
	case <-srv.Ready():
		return s, nil
	case err := <-s.served:
		cancel()
		return nil, err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func registerEcho[T any](srv *amqprpc.Server, queue string, work Work, opts []amqprpc.HandlerOption) {
	amqprpc.Register(srv, queue, func(ctx context.Context, v T) (T, error) {
		work(ctx)
		return v, nil
	}, opts...)
}

// serveInstances starts several servers of the same queues.
func serveInstances(ctx context.Context, o Options, work Work) (Server, error) {
	var all servers
	for range max(1, o.Instances) {
		s, err := serveFramework(ctx, o, work)
		if err != nil {
			return nil, errors.Join(err, all.Close())
		}
		all = append(all, s)
	}
	if len(all) == 1 {
		return all[0], nil
	}
	return all, nil
}

// servers are several servers in one process.
type servers []Server

// Close implements Server.
func (s servers) Close() error {
	errs := make([]error, len(s))
	var wg sync.WaitGroup
	for i, one := range s {
		wg.Go(func() { errs[i] = one.Close() })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// Drop implements [Dropper], if the server has streams.
func (s *frameworkServer) Drop() { s.meter.drop() }

// Traffic returns what the server has sent and received, if it has streams.
func (s *frameworkServer) Traffic() Traffic { return s.meter.traffic() }

// Ends returns when the handlers of streams ended, since the last call.
func (s *frameworkServer) Ends() map[int]time.Time { return s.ends.Take() }

// Close implements Server.
func (s *frameworkServer) Close() error {
	s.cancel()
	return <-s.served
}

// frameworkClient is amqprpc's client.
type frameworkClient struct {
	*amqprpc.Client
	conn   atomic.Pointer[net.Conn]
	queues []string
	text   string
	raw    []byte
	meter  *meter // of the connections, if there are streams
	stream *Streams
}

func dialFramework(ctx context.Context, o Options) (Client, error) {
	opts := []amqprpc.ClientOption{amqprpc.WithLogger(nil), amqprpc.WithMaxPending(1 << 20)}
	switch o.Reply {
	case "", "resumable":
	case "exclusive":
		opts = append(opts, amqprpc.WithReplyMode(amqprpc.ReplyExclusive))
	case "direct":
		opts = append(opts, amqprpc.WithReplyMode(amqprpc.ReplyDirect))
	default:
		return nil, fmt.Errorf("the reply mode %q is none of resumable, exclusive and direct", o.Reply)
	}
	if o.Unconfirmed {
		opts = append(opts, amqprpc.WithoutConfirms())
	}
	if o.Persistent {
		opts = append(opts, amqprpc.WithPersistent())
	}
	if o.Codec != "" && o.Codec != "json" {
		opts = append(opts, amqprpc.WithCodec(o.codec()))
	}
	c := &frameworkClient{queues: o.queues(), text: strings.Repeat("x", o.Payload)}
	if o.Streams {
		c.meter = &meter{}
	}
	cli, err := amqprpc.Dial(ctx, o.URL, append(opts, amqprpc.WithDialer(c.dial))...)
	if err != nil {
		return nil, err
	}
	c.Client = cli
	if o.Streams {
		c.stream = &Streams{cli, o}
	}
	if o.Codec == "raw" {
		c.raw = []byte(c.text)
	}
	return c, nil
}

func (c *frameworkClient) dial(network, addr string) (net.Conn, error) {
	if c.meter != nil {
		return c.meter.dial(network, addr)
	}
	conn, err := net.Dial(network, addr)
	if err == nil {
		c.conn.Store(&conn)
	}
	return conn, err
}

// Drop implements Dropper.
func (c *frameworkClient) Drop() {
	if c.meter != nil {
		c.meter.drop()
		return
	}
	(*c.conn.Load()).Close()
}

// Streams returns what uses streams; nil without [Options.Streams].
func (c *frameworkClient) Streams() *Streams { return c.stream }

// Take implements [Streamer].
func (c *frameworkClient) Take(ctx context.Context, d time.Duration) (Flow, error) {
	return c.stream.Take(ctx, d)
}

// Traffic returns what the client has sent and received, if it has streams.
func (c *frameworkClient) Traffic() Traffic { return c.meter.traffic() }

// All calls all instances, and returns how many answered, when the last one did, and how long
// the whole range took.
func (c *frameworkClient) All(ctx context.Context) (n int, last, whole time.Duration) {
	began := time.Now()
	for _, err := range amqprpc.All[int, int](ctx, c.Client, c.queues[0], 1) {
		if err == nil {
			n, last = n+1, time.Since(began)
		}
	}
	return n, last, time.Since(began)
}

// Call implements Client.
func (c *frameworkClient) Call(ctx context.Context, n int) error {
	queue := c.queues[n%len(c.queues)]
	switch {
	case c.raw != nil:
		got, err := amqprpc.Call[[]byte, []byte](ctx, c.Client, queue, c.raw)
		if err == nil && len(got) != len(c.raw) {
			err = errWrongAnswer
		}
		return err
	case c.text != "":
		got, err := amqprpc.Call[string, string](ctx, c.Client, queue, c.text)
		if err == nil && len(got) != len(c.text) {
			err = errWrongAnswer
		}
		return err
	default:
		got, err := amqprpc.Call[int, int](ctx, c.Client, queue, n)
		if err == nil && got != n {
			err = errWrongAnswer
		}
		return err
	}
}
