package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// nodeProgram starts a private RabbitMQ node and stops it when its input ends.
const nodeProgram = "github.com/bbebcec1/amqprpc-go/amqprpc/internal/testing/rabbitmq/cmd/rabbitmqnode"

// node is a private RabbitMQ node. Its parent process ends it when this process ends.
type node struct {
	url   string
	cmd   *exec.Cmd
	stdin io.Closer
	dir   string
}

// startNode builds and starts nodeProgram. The working directory must be in the benchmarks
// module.
func startNode(ctx context.Context, version string) (_ *node, err error) {
	n := &node{}
	if n.dir, err = os.MkdirTemp("", "rpcbench-"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("start RabbitMQ %s (or give -url): %w", version, errors.Join(err, n.stop()))
		}
	}()
	exe := filepath.Join(n.dir, "rabbitmqnode")
	build := exec.CommandContext(ctx, "go", "build", "-o", exe, nodeProgram)
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		return nil, err
	}
	cmd := exec.Command(exe, "-version", version)
	var log strings.Builder
	cmd.Stderr = &log
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	n.cmd, n.stdin = cmd, stdin
	kill := context.AfterFunc(ctx, func() { stdin.Close() })
	defer kill()
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		stdin.Close()
		cmd.Wait()
		n.cmd = nil
		return nil, errors.New(strings.TrimSpace(log.String()))
	}
	n.url = strings.TrimSpace(line)
	return n, nil
}

func (n *node) stop() error {
	var err error
	if n.cmd != nil {
		n.stdin.Close()
		err = n.cmd.Wait()
	}
	return errors.Join(err, os.RemoveAll(n.dir))
}

// cpu returns the CPU time that the broker's processes have used. It works on Linux only.
func (n *node) cpu() (time.Duration, bool) {
	total := time.Duration(0)
	pids := children(n.cmd.Process.Pid)
	for i := 0; i < len(pids); i++ {
		t, ok := processCPU(pids[i])
		if !ok {
			return 0, false
		}
		total += t
		pids = append(pids, children(pids[i])...)
	}
	return total, total > 0
}

func children(pid int) []int {
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil {
		return nil
	}
	var pids []int
	for _, file := range tasks {
		text, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		for _, field := range strings.Fields(string(text)) {
			if p, err := strconv.Atoi(field); err == nil {
				pids = append(pids, p)
			}
		}
	}
	return pids
}

// clockTick is the unit of /proc/PID/stat. Linux has fixed it at 100 Hz (man 5
// proc_pid_stat).
const clockTick = 10 * time.Millisecond

func processCPU(pid int) (time.Duration, bool) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, false
	}
	// The process name in brackets may contain any character. utime and stime are the 12th
	// and 13th fields after the name.
	_, rest, ok := strings.Cut(string(text[strings.LastIndexByte(string(text), ')'):]), ") ")
	fields := strings.Fields(rest)
	if !ok || len(fields) < 13 {
		return 0, false
	}
	user, err1 := strconv.ParseInt(fields[11], 10, 64)
	system, err2 := strconv.ParseInt(fields[12], 10, 64)
	return time.Duration(user+system) * clockTick, err1 == nil && err2 == nil
}
