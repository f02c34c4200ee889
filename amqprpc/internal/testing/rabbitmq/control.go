package rabbitmq

import (
	"bytes"
	"context"
	"fmt"
	"strings"
)

// Ctl runs rabbitmqctl on the node and returns what it prints. Each run boots an Erlang
// machine and so takes about a second; a test that only wants to know something of a
// queue asks over AMQP.
func (n *Node) Ctl(ctx context.Context, args ...string) (string, error) {
	cmd := n.install.command(ctx, n.dir, environment(n.install.insideDir(n.dir), n.id), "rabbitmqctl",
		append([]string{"--quiet", "--node", n.Name()}, args...)...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return "", fmt.Errorf("rabbitmq: rabbitmqctl %s: %w: %s", strings.Join(args, " "), err,
			strings.TrimSpace(stdout.String()+stderr.String()))
	}
	return stdout.String(), nil
}

func (n *Node) ctl(ctx context.Context, args ...string) error {
	_, err := n.Ctl(ctx, args...)
	return err
}

// CloseAllConnections has the broker close every client's connection with 320
// CONNECTION_FORCED and the reason as its text. It returns when each has been told, which
// is before each has gone.
func (n *Node) CloseAllConnections(ctx context.Context, reason string) error {
	return n.ctl(ctx, "close_all_connections", reason)
}

// StopApp stops RabbitMQ but leaves the Erlang machine running: connections end, the
// port is closed.
func (n *Node) StopApp(ctx context.Context) error { return n.ctl(ctx, "stop_app") }

// StartApp undoes StopApp.
func (n *Node) StartApp(ctx context.Context) error { return n.ctl(ctx, "start_app") }

// Sync has the broker write down what it was told to declare: its metadata store, up to
// 4.0 by default Mnesia, does so only every two seconds, and a Kill in between loses
// durable queues that were declared, and what is in them, confirmed or not.
func (n *Node) Sync(ctx context.Context) error {
	return n.ctl(ctx, "eval", "case whereis(mnesia_sup) of undefined -> ok; _ -> ok = mnesia:sync_log() end.")
}

// SetMemoryAlarm raises or clears the memory alarm, which blocks every connection that
// publishes: https://www.rabbitmq.com/docs/alarms. The alarm is up when it returns.
func (n *Node) SetMemoryAlarm(ctx context.Context, on bool) error {
	watermark := "0.4"
	if on {
		watermark = "0"
	}
	return n.ctl(ctx, "set_vm_memory_high_watermark", watermark)
}
