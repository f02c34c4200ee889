package amqprpc

import (
	"crypto/tls"
	"log/slog"
	"net"
	"time"
)

// WithLogger sets where a server or client logs: connections and queues that are lost
// and had again, panics of handlers with their stacks, refused requests. Each line has
// the name of the connection. The default is slog.Default() as it is when the server
// or client is made; nil means no logging. Credentials and direct reply-to addresses
// are never logged.
func WithLogger(l *slog.Logger) ConnOption {
	if l == nil {
		l = slog.New(slog.DiscardHandler)
	}
	return connOption(func(c *connConfig) { c.logger = l })
}

// WithTLS sets the TLS configuration of an amqps:// URL. It is cloned for each
// connection; without a ServerName the URL's host is expected.
func WithTLS(cfg *tls.Config) ConnOption {
	return connOption(func(c *connConfig) { c.tls = cfg })
}

// WithDialer replaces the TCP dialer. The connection that dial returns must
// support deadlines.
func WithDialer(dial func(network, addr string) (net.Conn, error)) ConnOption {
	return connOption(func(c *connConfig) { c.dial = dial })
}

// WithConnectionName sets the name under which the broker lists the connection, and
// which each line of the log has. The default is the program's name and the role.
func WithConnectionName(name string) ConnOption {
	return connOption(func(c *connConfig) { c.name = name })
}

// WithBrokers adds further brokers, the other nodes of a cluster, by their URLs;
// when one cannot be reached the next is tried.
func WithBrokers(urls ...string) ConnOption {
	return connOption(func(c *connConfig) { c.brokers = append(c.brokers, urls...) })
}

// WithHeartbeat sets the heartbeat that is asked of the broker; the smaller of
// both sides' counts. A dead peer is noticed after one and a half of it. The
// default is 5 s; it is rounded down to whole seconds, and at least 1 s.
func WithHeartbeat(d time.Duration) ConnOption {
	return connOption(func(c *connConfig) { c.heartbeat = max(d, time.Second) })
}

// WithMaxMessageSize bounds the bodies of requests and replies, in bytes, in
// both directions; beyond it is resource_exhausted. The default is 16 MiB, the
// default limit of RabbitMQ 4: a larger one wants the broker's max_message_size
// raised as well. Values below 1 leave the default.
func WithMaxMessageSize(bytes int) ConnOption {
	return connOption(func(c *connConfig) {
		if bytes > 0 {
			c.maxMessageSize = bytes
		}
	})
}
