package rabbitmq

import (
	"bytes"
	"context"
	"fmt"
	"strings"
)

// Ctl runs rabbitmqctl on the node and returns its output. It takes about a second,
// because each run boots an Erlang machine. Use AMQP to inspect a queue.
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

// CloseAllConnections makes the broker close every client's connection with 320
// CONNECTION_FORCED and the reason as its text. It returns when the broker has told
// each client, which may be before the connections have ended.
func (n *Node) CloseAllConnections(ctx context.Context, reason string) error {
	return n.ctl(ctx, "close_all_connections", reason)
}

// StopApp stops RabbitMQ and leaves the Erlang machine running. Connections end, and
// the port is closed.
func (n *Node) StopApp(ctx context.Context) error { return n.ctl(ctx, "stop_app") }

// StartApp undoes StopApp.
func (n *Node) StartApp(ctx context.Context) error { return n.ctl(ctx, "start_app") }

// Sync makes the broker write its declarations to disk. Mnesia, the default metadata
// store up to 4.0, does so only every two seconds. A Kill before that loses newly
// declared durable queues with their messages, even confirmed ones.
func (n *Node) Sync(ctx context.Context) error {
	return n.ctl(ctx, "eval", "case whereis(mnesia_sup) of undefined -> ok; _ -> ok = mnesia:sync_log() end.")
}

// SetMemoryAlarm raises or clears the memory alarm, which blocks every connection that
// publishes: https://www.rabbitmq.com/docs/alarms. When it returns, the alarm is in
// effect.
func (n *Node) SetMemoryAlarm(ctx context.Context, on bool) error {
	watermark := "0.4"
	if on {
		watermark = "0"
	}
	return n.ctl(ctx, "set_vm_memory_high_watermark", watermark)
}
