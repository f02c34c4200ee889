package side

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/pprof"
	"sync/atomic"
	"time"

	"github.com/bbebcec1/amqprpc-go/benchmarks/internal/contender"
)

// envSpec holds a child's Spec. A process with this variable is a child.
const envSpec = "RPCBENCH_SIDE"

// startLimit limits a contender's time to connect.
const startLimit = 30 * time.Second

// Main runs a child and exits if this process is a child. Otherwise Main does nothing.
// Programs that use [Start] must call Main first.
func Main() {
	spec := os.Getenv(envSpec)
	if spec == "" {
		return
	}
	if err := run(spec, os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// child holds the state of a child.
type child struct {
	spec     Spec
	client   contender.Client
	server   contender.Server
	work     atomic.Pointer[Work]
	executed atomic.Int64
	profile  *os.File
	started  time.Duration
	beside   background
}

func run(specJSON string, stdin io.Reader, stdout io.Writer) (err error) {
	c := &child{}
	if err := json.Unmarshal([]byte(specJSON), &c.spec); err != nil {
		return fmt.Errorf("read the spec: %w", err)
	}
	if c.spec.CountAllocations {
		runtime.MemProfileRate = 1
	}
	c.work.Store(&Work{})
	answers := json.NewEncoder(stdout)
	ready := Answer{}
	began := time.Now()
	err = c.start()
	c.started = time.Since(began)
	if err != nil {
		ready.Error = err.Error()
		return errors.Join(err, answers.Encode(ready))
	}
	defer func() { err = errors.Join(err, c.close()) }()
	if err := answers.Encode(ready); err != nil {
		return err
	}
	commands := json.NewDecoder(bufio.NewReader(stdin))
	for {
		a := Answer{}
		if err := commands.Decode(&a.Command); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return fmt.Errorf("read a command: %w", err)
		}
		if err := c.do(&a.Command); err != nil {
			a.Error = err.Error()
		}
		if err := answers.Encode(a); err != nil {
			return err
		}
	}
}

func (c *child) start() (err error) {
	ctx, cancel := context.WithTimeout(context.Background(), startLimit)
	defer cancel()
	if c.spec.Role == Server {
		c.server, err = contender.Serve(ctx, c.spec.Contender, c.spec.Options, c.handle)
		return err
	}
	c.client, err = contender.Dial(ctx, c.spec.Contender, c.spec.Options)
	return err
}

func (c *child) close() error {
	err := (&Rest{}).run(&c.beside)
	if c.server != nil {
		err = errors.Join(err, c.server.Close())
	}
	if c.client != nil {
		err = errors.Join(err, c.client.Close())
	}
	return err
}

// handle runs in every handler before the echo.
func (c *child) handle(ctx context.Context) {
	n := c.executed.Add(1)
	w := c.work.Load()
	d := w.Each
	if w.SlowEvery > 0 && n%int64(w.SlowEvery) == 0 {
		d = w.Slow
	}
	if d <= 0 {
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

func (c *child) do(cmd *Command) error {
	switch {
	case cmd.Load != nil && c.client != nil:
		cmd.Load.run(c.client)
	case cmd.Offer != nil && c.client != nil:
		return cmd.Offer.run(c.client)
	case cmd.Hold != nil && c.client != nil:
		err := cmd.Hold.run(c.client, c.spec.Options)
		c.client = nil
		return err
	case cmd.Work != nil && c.server != nil:
		c.work.Store(cmd.Work)
	case cmd.Usage != nil:
		cmd.Usage.read()
		cmd.Usage.Executed = c.executed.Load()
	case cmd.Idle != nil:
		cmd.Idle.read(c.started)
	case cmd.Drop != nil && c.client != nil:
		return cmd.Drop.run(c.client, max(1, c.spec.Options.Clients))
	case cmd.Origins != nil && c.spec.CountAllocations:
		cmd.Origins.read()
	case cmd.Profile != nil:
		return c.profileInto(cmd.Profile.File)
	case cmd.Rest != nil:
		return cmd.Rest.run(&c.beside)
	default:
		return c.doStreams(cmd)
	}
	return nil
}

// doStreams does what needs streams.
func (c *child) doStreams(cmd *Command) error {
	var s *contender.Streams
	if has, ok := c.client.(interface{ Streams() *contender.Streams }); ok {
		s = has.Streams()
	}
	metered, _ := c.client.(meteredSide)
	if c.server != nil {
		metered, _ = c.server.(meteredSide)
	}
	switch {
	case cmd.Take != nil && c.client != nil:
		return cmd.Take.run(c.client, &c.beside)
	case cmd.Broadcast != nil && c.client != nil:
		return cmd.Broadcast.run(c.client)
	case cmd.Ends != nil && c.server != nil:
		if e, ok := c.server.(interface{ Ends() map[int]time.Time }); ok {
			cmd.Ends.At = e.Ends()
		}
	case cmd.Cut != nil && metered != nil:
		cmd.Cut.run(metered, &c.beside)
	case cmd.Traffic != nil && metered != nil:
		*cmd.Traffic = metered.Traffic()
	case cmd.Lost != nil:
		return cmd.Lost.run(&c.beside)
	case s == nil:
		return fmt.Errorf("a %s cannot do that", c.spec.Role)
	case cmd.Open != nil:
		return cmd.Open.run(s)
	case cmd.Talk != nil:
		return cmd.Talk.run(s)
	case cmd.Quit != nil:
		return cmd.Quit.run(s)
	case cmd.Stand != nil:
		return cmd.Stand.run(s, &c.beside)
	case cmd.Keep != nil:
		return cmd.Keep.run(s, &c.beside)
	case cmd.Count != nil:
		return cmd.Count.run(s)
	case cmd.Orphan != nil:
		return cmd.Orphan.run(s, &c.beside)
	default:
		return fmt.Errorf("a %s cannot do that", c.spec.Role)
	}
	return nil
}

// meteredSide counts what it sends and receives, and can drop its connections.
type meteredSide interface {
	contender.Dropper
	Traffic() contender.Traffic
}

func (c *child) profileInto(file string) (err error) {
	if file == "" {
		if c.profile == nil {
			return nil
		}
		pprof.StopCPUProfile()
		err = c.profile.Close()
		c.profile = nil
		return err
	}
	if c.profile, err = os.Create(file); err != nil {
		return err
	}
	return pprof.StartCPUProfile(c.profile)
}
