package side

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"
)

// stopLimit limits a child's time to end.
const stopLimit = 30 * time.Second

// Process is the parent's view of a child. It runs one command at a time.
type Process struct {
	cmd     *exec.Cmd
	stdin   io.WriteCloser
	answers *json.Decoder
	name    string
}

// Start starts a child of this program and returns when the child is connected.
func Start(ctx context.Context, spec Spec) (*Process, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(spec)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), envSpec+"="+string(text))
	cmd.Stderr = os.Stderr
	p := &Process{cmd: cmd, name: spec.Contender + "'s " + spec.Role}
	if p.stdin, err = cmd.StdinPipe(); err != nil {
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.answers = json.NewDecoder(bufio.NewReader(stdout))
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	if err := p.answer(ctx, &Answer{}); err != nil {
		return nil, errors.Join(err, p.Stop())
	}
	return p, nil
}

// Do runs a command in the child and stores the answer in cmd. If ctx ends first, Do kills
// the child, because the child's next answer would be for this command.
func (p *Process) Do(ctx context.Context, cmd *Command) error {
	text, err := json.Marshal(cmd)
	if err != nil {
		return err
	}
	if _, err := p.stdin.Write(append(text, '\n')); err != nil {
		return fmt.Errorf("%s: %w", p.name, err)
	}
	var a Answer
	if err := p.answer(ctx, &a); err != nil {
		return err
	}
	*cmd = a.Command
	return nil
}

func (p *Process) answer(ctx context.Context, a *Answer) error {
	stop := context.AfterFunc(ctx, func() { p.cmd.Process.Kill() })
	defer stop()
	if err := p.answers.Decode(a); err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return fmt.Errorf("%s: %w", p.name, err)
	}
	if a.Error != "" {
		return fmt.Errorf("%s: %s", p.name, a.Error)
	}
	return nil
}

// Kill kills the child with SIGKILL, and returns when it is gone.
func (p *Process) Kill() error {
	if err := p.cmd.Process.Kill(); err != nil {
		return fmt.Errorf("%s: %w", p.name, err)
	}
	_ = p.cmd.Wait() // it says that the child was killed
	return nil
}

// Stop ends the child, or kills it after stopLimit.
func (p *Process) Stop() error {
	err := p.stdin.Close()
	kill := time.AfterFunc(stopLimit, func() { p.cmd.Process.Kill() })
	defer kill.Stop()
	if werr := p.cmd.Wait(); werr != nil {
		err = errors.Join(err, fmt.Errorf("%s: %w", p.name, werr))
	}
	return err
}
