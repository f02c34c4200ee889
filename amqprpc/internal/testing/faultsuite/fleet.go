package faultsuite

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
)

// drainLimit is the WithDrainTimeout of the servers. Every handler is quicker.
const drainLimit = 20 * time.Second

// Fleet is the servers of a run. A server that is killed or stopped is replaced.
type Fleet struct {
	rec    *Recorder
	prefix string
	url    string
	queues []Queue
	opts   []amqprpc.ServerOption
	child  func(name string) (*child, error) // starts a server as a process; nil for servers in this process

	mu      sync.Mutex
	made    int
	members []member
	retired sync.WaitGroup
}

// member is a server of a fleet.
type member interface {
	name() string
	// stop makes the server drain, and waits for the end of the drain.
	stop()
	// kill ends the server without a drain, if it can.
	kill()
}

// NewFleet makes a fleet that has no servers yet. Names of servers begin with prefix.
// Servers connect to the broker at url with opts.
func NewFleet(rec *Recorder, prefix, url string, queues []Queue, opts ...amqprpc.ServerOption) *Fleet {
	return &Fleet{rec: rec, prefix: prefix, url: url, queues: queues, opts: opts}
}

// AsProcesses makes Start start processes from now on. They connect to the fleet's URL
// with the default options. Their journals are in dir.
func (f *Fleet) AsProcesses(dir string) {
	f.child = func(name string) (*child, error) {
		return startChild(f.rec, dir, childConfig{Name: name, URL: f.url, Queues: f.queues})
	}
}

// Start adds a server.
func (f *Fleet) Start() error {
	f.mu.Lock()
	f.made++
	name := fmt.Sprintf("%s%d", f.prefix, f.made)
	start := f.child
	f.mu.Unlock()
	var m member
	if start != nil {
		c, err := start(name)
		if err != nil {
			return err
		}
		m = c
	} else {
		m = f.inProcess(name)
	}
	f.mu.Lock()
	f.members = append(f.members, m)
	f.mu.Unlock()
	return nil
}

// take removes the oldest server from the fleet and returns it, or nil if there is
// none.
func (f *Fleet) take() member {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.members) == 0 {
		return nil
	}
	m := f.members[0]
	f.members = f.members[1:]
	return m
}

// Roll replaces the oldest server as a rolling deploy does: a new one starts, and the
// old one drains.
func (f *Fleet) Roll() error {
	if err := f.Start(); err != nil {
		return err
	}
	if m := f.take(); m != nil {
		f.rec.Note(m.name() + " is told to stop")
		f.retired.Go(m.stop)
	}
	return nil
}

// Kill kills the oldest server and starts another.
func (f *Fleet) Kill() error {
	if m := f.take(); m != nil {
		f.rec.Note(m.name() + " is killed")
		m.kill()
	}
	return f.Start()
}

// Stop makes all servers drain, and waits for them.
func (f *Fleet) Stop() {
	for m := f.take(); m != nil; m = f.take() {
		f.retired.Go(m.stop)
	}
	f.retired.Wait()
}

// local is a server in this process.
type local struct {
	called string
	rec    *Recorder
	cancel context.CancelFunc
	served chan struct{}
}

func (f *Fleet) inProcess(name string) *local {
	ctx, cancel := context.WithCancel(context.Background())
	l := &local{called: name, rec: f.rec, cancel: cancel, served: make(chan struct{})}
	go func() {
		defer close(l.served)
		keepServing(ctx, f.rec.Note, f.url, name, f.queues, f.rec, f.opts...)
	}()
	return l
}

// keepServing serves until ctx is done. A server may give up before, for example if it
// never had a connection. Then keepServing starts a new one, as a supervisor would.
func keepServing(ctx context.Context, note func(string), url, name string, queues []Queue, j journal, opts ...amqprpc.ServerOption) {
	opts = append([]amqprpc.ServerOption{
		amqprpc.WithLogger(nil), amqprpc.WithConnectionName(name), amqprpc.WithDrainTimeout(drainLimit),
	}, opts...)
	runs := new(atomic.Int64)
	for {
		srv := amqprpc.NewServer(url, opts...)
		register(srv, name, runs, queues, j)
		if err := srv.Serve(ctx); err != nil {
			note(fmt.Sprintf("%s ends: %v", name, err))
		}
		if ctx.Err() != nil {
			return
		}
		pause(ctx, 100*time.Millisecond)
	}
}

func (l *local) name() string { return l.called }

func (l *local) stop() {
	l.cancel()
	select {
	case <-l.served:
	case <-time.After(2 * drainLimit):
		l.rec.Leave(fmt.Sprintf("%s has not drained within twice its drain limit", l.called))
	}
}

// kill is stop: a server in this process cannot be killed.
func (l *local) kill() { l.stop() }
