package rabbitmq

import (
	"context"
	"fmt"
	"net"
	"os/exec"
	"sync"
	"time"
)

// epmd is Erlang's port mapper. rabbitmqctl and the nodes of a cluster ask it for the
// ports of nodes. Erlang would start epmd as a daemon that never ends. This one is a
// child process, which ends with the last node that uses it.
type epmd struct {
	process *process

	mu    sync.Mutex
	users int
}

func startEpmd(ctx context.Context, in installation, dir string, id identity) (*epmd, error) {
	cmd := in.command(context.WithoutCancel(ctx), dir, environment(in.insideDir(dir), id), "/usr/bin/epmd")
	p, err := startProcess(cmd)
	if err != nil {
		return nil, err
	}
	answers := func() error {
		c, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", id.epmdPort))
		if err != nil {
			return err
		}
		return c.Close()
	}
	if err := poll(ctx, p, answers); err != nil {
		_ = p.kill()
		return nil, fmt.Errorf("rabbitmq: start epmd on port %d: %w", id.epmdPort, err)
	}
	return &epmd{process: p, users: 1}, nil
}

func (e *epmd) retain() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.users++
}

func (e *epmd) release() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.users--; e.users > 0 {
		return nil
	}
	return e.process.kill()
}

// poll calls try until it succeeds, ctx ends, or the process p has ended.
func poll(ctx context.Context, p *process, try func() error) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := try()
		if err == nil {
			return nil
		}
		select {
		case <-p.done:
			return &exec.ExitError{ProcessState: p.cmd.ProcessState}
		case <-ctx.Done():
			return fmt.Errorf("%w (%w)", ctx.Err(), err)
		case <-tick.C:
		}
	}
}
