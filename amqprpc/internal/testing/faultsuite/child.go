package faultsuite

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
)

// childVariable makes a test program a server or a client. Its value is the configuration.
const childVariable = "AMQPRPC_FAULTS_CHILD"

// childConfig is the configuration of a child process.
type childConfig struct {
	Name    string
	URL     string
	Journal string
	Queues  []Queue
	Client  bool // it opens streams that never end, with an exclusive reply queue if Loses
	Loses   bool
}

// child is a server, or a client, in its own process: this test program, started again.
type child struct {
	called string
	rec    *Recorder
	cmd    *exec.Cmd
	stdin  io.Closer // when it is closed, the child drains
	done   chan struct{}
}

// startChild starts a process.
func startChild(rec *Recorder, dir string, cfg childConfig) (*child, error) {
	cfg.Journal = filepath.Join(dir, cfg.Name)
	// History may read the file before the child writes to it.
	j, err := openJournal(cfg.Journal)
	if err != nil {
		return nil, err
	}
	if err := j.f.Close(); err != nil {
		return nil, fmt.Errorf("make a journal: %w", err)
	}
	told, err := json.Marshal(cfg)
	if err != nil {
		return nil, fmt.Errorf("start a server: %w", err)
	}
	program, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("start a server: %w", err)
	}
	cmd := exec.Command(program)
	cmd.Env = append(os.Environ(), childVariable+"="+string(told))
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("start a server: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start a server: %w", err)
	}
	c := &child{called: cfg.Name, rec: rec, cmd: cmd, stdin: stdin, done: make(chan struct{})}
	rec.mu.Lock()
	rec.journals = append(rec.journals, cfg.Journal)
	rec.mu.Unlock()
	go func() {
		defer close(c.done)
		_ = c.cmd.Wait() // ProcessState says how the process ended
	}()
	return c, nil
}

func (c *child) name() string { return c.called }

func (c *child) stop() {
	_ = c.stdin.Close()
	select {
	case <-c.done:
		if code := c.cmd.ProcessState.ExitCode(); code != 0 {
			c.rec.Note(fmt.Sprintf("%s ends with status %d", c.called, code))
		}
	case <-time.After(2 * drainLimit):
		c.rec.Leave(fmt.Sprintf("%s has not drained within twice its drain limit", c.called))
		c.kill()
	}
}

// kill sends SIGKILL and waits for the process to end.
func (c *child) kill() {
	_ = c.cmd.Process.Kill()
	<-c.done
}

// BeChild serves or calls as a child process if this program was started as one, and then exits.
// A TestMain calls it before anything else. The process ends when its standard input
// ends, so it cannot outlive the program that started it.
func BeChild() {
	told := os.Getenv(childVariable)
	if told == "" {
		return
	}
	if err := runAsChild(told); err != nil {
		fmt.Fprintln(os.Stderr, "faultsuite: child:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

func runAsChild(told string) error {
	var cfg childConfig
	if err := json.Unmarshal([]byte(told), &cfg); err != nil {
		return fmt.Errorf("read the configuration: %w", err)
	}
	j, err := openJournal(cfg.Journal)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	if cfg.Client {
		return callAsChild(ctx, cfg)
	}
	note := func(what string) { fmt.Fprintln(os.Stderr, "faultsuite:", what) }
	keepServing(ctx, note, cfg.URL, cfg.Name, cfg.Queues, j, amqprpc.WithHeartbeat(time.Second))
	return nil
}

// callAsChild opens a stream on each queue of streams, and uses them until ctx is done.
func callAsChild(ctx context.Context, cfg childConfig) error {
	mode := amqprpc.ReplyResumable
	if cfg.Loses {
		mode = amqprpc.ReplyExclusive
	}
	cli, err := amqprpc.Dial(ctx, cfg.URL, amqprpc.WithLogger(nil), amqprpc.WithReplyMode(mode))
	if err != nil {
		return fmt.Errorf("connect a client: %w", err)
	}
	defer cli.Close()
	var calls sync.WaitGroup
	for _, q := range cfg.Queues {
		calls.Go(func() { _ = endless(ctx, cli, q, func() {}) })
	}
	calls.Wait()
	return nil
}

// endless makes a stream that does not end by itself, and returns its error. It calls each
// whenever the caller has received or sent an item.
func endless(ctx context.Context, cli *amqprpc.Client, q Queue, each func()) error {
	p := plan{job: Job{ID: q.Name, Items: math.MaxInt32, Step: 5 * time.Millisecond}, stream: streamPlan{step: 5 * time.Millisecond, each: each}}
	p.opts = []amqprpc.CallOption{amqprpc.WithCallID(p.job.ID)}
	_, err := p.makeStream(ctx, cli, &Call{ID: p.job.ID, Queue: q})
	return err
}
