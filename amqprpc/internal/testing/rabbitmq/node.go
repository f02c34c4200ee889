// Package rabbitmq starts private RabbitMQ nodes for tests. Each node has its own port,
// name, cookie, data directory and port mapper, and listens on loopback only. A node and
// its data are gone when the test program ends, even if the program is killed.
//
// The nodes are Debian's packages: 3.10 from the machine or from a root, and 4.0 and 4.3
// from roots that scripts/rabbitmq/install makes. A missing broker is an error, never a
// reason to skip.
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

// bootLimit bounds one boot. A node boots in a few seconds; a loaded machine takes
// several times as long.
const bootLimit = 2 * time.Minute

// Node is a private RabbitMQ node. Its methods are safe for concurrent use.
type Node struct {
	install installation
	config  Config
	id      identity
	dir     string
	epmd    *epmd

	mu      sync.Mutex // serializes changes of the process
	process *process
	stopped bool
}

// Start boots a node and returns when it accepts AMQP connections. Its error contains
// the end of the broker's log.
func Start(ctx context.Context, cfg Config) (*Node, error) {
	in, err := findInstallation(cfg.version())
	if err != nil {
		return nil, err
	}
	for attempt := 1; ; attempt++ {
		n, err := startNode(ctx, in, cfg, nil, nil)
		// Another process may have taken a port since freePorts found it free.
		if err != nil && attempt < 3 && errors.Is(err, errPortTaken) {
			continue
		}
		return n, err
	}
}

// errPortTaken means that a boot failed because a port was in use.
var errPortTaken = errors.New("port in use")

// startNode boots a node. If peer is not nil, the node joins the cluster of peer.
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
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// URL returns the URL for clients, with the default user guest.
func (n *Node) URL() string { return fmt.Sprintf("amqp://guest:guest@127.0.0.1:%d/", n.id.port) }

// Port returns the AMQP port on 127.0.0.1. It stays the same over restarts.
func (n *Node) Port() int { return n.id.port }

// Name returns the name of the Erlang node.
func (n *Node) Name() string { return n.id.nodeName() }

// Version returns the release series, as in Config.
func (n *Node) Version() string { return n.config.version() }

// PID returns the process ID of the broker, or 0 if it is not running.
func (n *Node) PID() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.process == nil || !n.process.alive() {
		return 0
	}
	return n.process.pid()
}

// Log returns the output of the broker since its last boot.
func (n *Node) Log() (string, error) {
	b, err := os.ReadFile(filepath.Join(n.dir, "broker.log"))
	if err != nil {
		return "", fmt.Errorf("rabbitmq: read the log: %w", err)
	}
	return string(b), nil
}

// boot starts the process and waits until it is ready. The caller holds n.mu, or has
// not shared n yet.
func (n *Node) boot(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, bootLimit)
	defer cancel()
	log, err := os.Create(filepath.Join(n.dir, "broker.log"))
	if err != nil {
		return fmt.Errorf("rabbitmq: %w", err)
	}
	defer log.Close() // the child has its own descriptor
	ready, err := listenForReady(filepath.Join(n.dir, notifySocket))
	if err != nil {
		return err
	}
	defer ready.close()
	// The node outlives the context of its start.
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
	const most = 8 << 10 // long enough for the cause, which stands before long stack traces
	if len(log) > most {
		log = append([]byte("…"), log[len(log)-most:]...)
	}
	return fmt.Errorf("%w; the end of its log:\n%s", err, log)
}

// Kill sends SIGKILL, so the broker cannot write anything to disk. Its data stays for
// Restart. A 3.10 or 4.0 may lose the declarations of the last two seconds (see Sync).
func (n *Node) Kill() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.process.kill()
}

// Pause stops the broker with SIGSTOP, and returns when all its threads have stopped.
// Its sockets stay open and silent.
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

// Resume continues a paused broker with SIGCONT.
func (n *Node) Resume() error { return n.signal(sigCont) }

func (n *Node) signal(sig syscall.Signal) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.process.signal(sig)
}

// Restart boots the broker again with the same data and port. It first shuts down a
// running broker in order. A killed broker starts as after a crash.
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

// Stop ends the node and deletes its data. A second Stop does nothing, nor does Stop on
// a nil Node.
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
		// The data is deleted below, so an orderly shutdown is not necessary.
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
