package rabbitmq

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
)

// process is a child that cannot outlive this program: however that ends (a panic, a
// test timeout, a kill -9), the kernel takes the child along.
type process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed once the child has been reaped
}

// startProcess starts cmd in a process group of its own, so that a Ctrl-C meant for
// this program is not the broker's too.
func startProcess(cmd *exec.Cmd) (*process, error) {
	cmd.SysProcAttr = childAttributes()
	p := &process{cmd: cmd, done: make(chan struct{})}
	started := make(chan error, 1)
	go func() {
		// On Linux a child dies with the thread that started it, not the process:
		// keep that thread until the child is gone.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(p.done)
		err := cmd.Start()
		started <- err
		if err == nil {
			// How it ended shows in cmd.ProcessState; a killed child is no error here.
			_ = cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("rabbitmq: start %s: %w", cmd.Path, err)
	}
	return p, nil
}

func (p *process) pid() int { return p.cmd.Process.Pid }

func (p *process) alive() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// signal sends sig; that the process is already gone is an error.
func (p *process) signal(sig syscall.Signal) error {
	if err := p.cmd.Process.Signal(sig); err != nil {
		return fmt.Errorf("rabbitmq: signal %v to process %d: %w", sig, p.pid(), err)
	}
	return nil
}

// kill ends the process at once and waits until it is gone. Killing a dead one is no
// error.
func (p *process) kill() error {
	if err := p.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("rabbitmq: kill process %d: %w", p.pid(), err)
	}
	<-p.done
	return nil
}
