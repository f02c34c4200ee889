// Package rabbitmq starts private RabbitMQ nodes for tests: each with a port, a name, a
// cookie, a data directory and a port mapper of its own, on loopback only, and gone,
// data and all, when the test program ends, however it ends.
//
// The broker is Debian's: 3.10 from the machine's own package or from a root of its own,
// 4.0 and 4.3 from roots that scripts/rabbitmq/install makes. A missing broker is an
// error, never a reason to skip.
package rabbitmq

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// bootLimit bounds one boot where the caller's ctx does not; a node takes a few
// seconds, a loaded machine several times that.
const bootLimit = 2 * time.Minute

// Node is one private RabbitMQ node. Its methods may be called from any goroutine.
type Node struct {
	install installation
	config  Config
	id      identity
	dir     string
	epmd    *epmd

	mu      sync.Mutex // one change of the process at a time
	process *process
	stopped bool
}

// Start boots a node and returns once it takes AMQP connections. Its error carries the
// end of the broker's log.
func Start(ctx context.Context, cfg Config) (*Node, error) {
	in, err := findInstallation(cfg.version())
	if err != nil {
		return nil, err
	}
	for attempt := 1; ; attempt++ {
		n, err := startNode(ctx, in, cfg, nil, nil)
		// Somebody else may have taken a port between our looking and our using it.
		if err != nil && attempt < 3 && errors.Is(err, errPortTaken) {
			continue
		}
		return n, err
	}
}

// errPortTaken marks a boot that failed for a port in use.
var errPortTaken = errors.New("port in use")

// startNode boots a node, of its own or, with a peer, of the peer's cluster.
func startNode(ctx context.Context, in installation, cfg Config, peer *Node, conf []string) (_ *Node, err error) {
	ports, err := freePorts(3)
	if err != nil {
		return nil, err
	}
	n := &Node{install: in, config: cfg, id: identity{port: ports[0], distPort: ports[1], epmdPort: ports[2], cookie: newCookie()}}
	if n.dir, err = os.MkdirTemp("", "amqprpc-rabbitmq-"); err != nil {
		return nil, fmt.Errorf("rabbitmq: make a data directory: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, n.Stop())
		}
	}()
	if peer != nil {
		n.id.cookie, n.id.epmdPort = peer.id.cookie, peer.id.epmdPort
		conf = append([]string{
			"cluster_formation.peer_discovery_backend = classic_config",
			"cluster_formation.classic_config.nodes.1 = " + peer.Name(),
			"cluster_formation.classic_config.nodes.2 = " + n.Name(),
		}, conf...)
	}
	if err := writeFiles(n.dir, cfg, n.id, conf); err != nil {
		return nil, err
	}
	if peer != nil {
		peer.epmd.retain()
		n.epmd = peer.epmd
	} else if n.epmd, err = startEpmd(ctx, in, n.dir, n.id); err != nil {
		return nil, err
	}
	if err := n.boot(ctx); err != nil {
		return nil, err
	}
	return n, nil
}

func newCookie() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails, says crypto/rand
	return hex.EncodeToString(b[:])
}

// URL is where clients connect, as the default user guest.
func (n *Node) URL() string { return fmt.Sprintf("amqp://guest:guest@127.0.0.1:%d/", n.id.port) }

// Port is the AMQP port on 127.0.0.1; it stays the same over restarts.
func (n *Node) Port() int { return n.id.port }

// Name is the Erlang node's name.
func (n *Node) Name() string { return n.id.nodeName() }

// Version is the release series, as in Config.
func (n *Node) Version() string { return n.config.version() }

// PID is the process id of the broker itself, 0 while it is not running.
func (n *Node) PID() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.process == nil || !n.process.alive() {
		return 0
	}
	return n.process.pid()
}

// Log is all that the broker has written since its last boot began.
func (n *Node) Log() (string, error) {
	b, err := os.ReadFile(filepath.Join(n.dir, "broker.log"))
	if err != nil {
		return "", fmt.Errorf("rabbitmq: read the log: %w", err)
	}
	return string(b), nil
}

// boot starts the process and waits for its listener. The caller is alone with n, or
// holds n.mu.
func (n *Node) boot(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, bootLimit)
	defer cancel()
	log, err := os.Create(filepath.Join(n.dir, "broker.log"))
	if err != nil {
		return fmt.Errorf("rabbitmq: %w", err)
	}
	defer log.Close() // the child has its own
	ready, err := listenForReady(filepath.Join(n.dir, notifySocket))
	if err != nil {
		return err
	}
	defer ready.close()
	// The node outlives the ctx of its start.
	cmd := n.install.command(context.WithoutCancel(ctx), n.dir, environment(n.install.insideDir(n.dir), n.id), "rabbitmq-server")
	cmd.Stdout, cmd.Stderr = log, log
	if n.process, err = startProcess(cmd); err != nil {
		return err
	}
	if err := poll(ctx, n.process, ready.check); err != nil {
		err = errors.Join(fmt.Errorf("rabbitmq: boot %s: %w", n.Version(), err), n.process.kill())
		return n.withLogTail(err)
	}
	return nil
}

func (n *Node) withLogTail(err error) error {
	log, _ := os.ReadFile(filepath.Join(n.dir, "broker.log"))
	if bytes.Contains(log, []byte("eaddrinuse")) || bytes.Contains(log, []byte("already running")) {
		err = fmt.Errorf("%w: %w", errPortTaken, err)
	}
	const most = 8 << 10 // the cause comes first, and long stack traces after it
	if len(log) > most {
		log = append([]byte("…"), log[len(log)-most:]...)
	}
	return fmt.Errorf("%w; the end of its log:\n%s", err, log)
}

// Kill is kill -9: the broker gets no chance to write anything down. Its data stays, for
// Restart; what a 3.10 or 4.0 was told to declare in the last two seconds may not be
// among it (see Sync).
func (n *Node) Kill() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.process.kill()
}

// Pause stops the broker in its tracks (SIGSTOP), and returns when it stands: its sockets
// stay open and silent.
func (n *Node) Pause() error {
	if err := n.signal(sigStop); err != nil {
		return err
	}
	pid := n.PID()
	for deadline := time.Now().Add(pauseLimit); !standsStill(pid); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			return fmt.Errorf("rabbitmq: process %d still runs %v after SIGSTOP", pid, pauseLimit)
		}
	}
	return nil
}

// pauseLimit is how long a busy machine may take to stop all threads of a broker.
const pauseLimit = 10 * time.Second

// Resume lets a paused broker go on (SIGCONT).
func (n *Node) Resume() error { return n.signal(sigCont) }

func (n *Node) signal(sig syscall.Signal) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.process.signal(sig)
}

// Restart boots the broker again on the same data and port. One that still runs is first
// shut down in good order; a killed one comes back as after a crash.
func (n *Node) Restart(ctx context.Context) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.stopped {
		return errors.New("rabbitmq: restart after Stop")
	}
	if n.process.alive() {
		if err := n.process.signal(syscall.SIGTERM); err != nil {
			return err
		}
		select {
		case <-n.process.done:
		case <-ctx.Done():
			return fmt.Errorf("rabbitmq: shut down for a restart: %w", ctx.Err())
		}
	}
	return n.boot(ctx)
}

// Stop ends the node and deletes its data. A second Stop, or one on a nil Node, does
// nothing.
func (n *Node) Stop() error {
	if n == nil {
		return nil
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.stopped {
		return nil
	}
	n.stopped = true
	var errs []error
	if n.process != nil {
		// No good order needed: there will be nothing left to find in disorder.
		errs = append(errs, n.process.kill())
	}
	if n.epmd != nil {
		errs = append(errs, n.epmd.release())
	}
	if err := os.RemoveAll(n.dir); err != nil {
		errs = append(errs, fmt.Errorf("rabbitmq: delete the data: %w", err))
	}
	return errors.Join(errs...)
}
