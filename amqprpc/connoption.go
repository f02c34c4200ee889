package amqprpc

import (
	"crypto/tls"
	"log/slog"
	"net"
	"time"
)

// WithLogger sets where a server or client logs: connections and queues that are lost
// or served again, panics of handlers with their stacks, refused requests. Each line
// names the connection. The default is slog.Default() at the time when the server or
// client is made. With nil nothing is logged. Credentials and direct reply-to addresses
// are never logged.
func WithLogger(l *slog.Logger) ConnOption {
	if l == nil {
		l = slog.New(slog.DiscardHandler)
	}
	return connOption(func(c *connConfig) { c.logger = l })
}

// WithTLS sets the TLS configuration of an amqps:// URL. Each connection uses a clone.
// If the configuration has no ServerName, the certificate must be that of the URL's host.
// With an amqp:// URL, [Dial] and [Server.Serve] return invalid_argument.
func WithTLS(cfg *tls.Config) ConnOption {
	return connOption(func(c *connConfig) { c.tls = cfg })
}

// WithDialer replaces the TCP dialer. The connection that dial returns must support
// deadlines.
func WithDialer(dial func(network, addr string) (net.Conn, error)) ConnOption {
	return connOption(func(c *connConfig) { c.dial = dial })
}

// WithConnectionName names the connection. The broker lists the connection under this
// name, and each line of the log has it. The first 255 bytes count. The default is the
// program's name with the role.
func WithConnectionName(name string) ConnOption {
	return connOption(func(c *connConfig) { c.name = name })
}

// WithBrokers adds the URLs of further brokers, the other nodes of a cluster. If one
// broker cannot be reached, the next one is tried.
func WithBrokers(urls ...string) ConnOption {
	return connOption(func(c *connConfig) { c.brokers = append(c.brokers, urls...) })
}

// WithHeartbeat sets the heartbeat interval that is asked of the broker. The smaller
// interval of both sides counts. A dead peer is noticed after one and a half intervals.
// The default is 5 s. The interval is rounded down to whole seconds, from 1 s to
// 65,535 s.
func WithHeartbeat(d time.Duration) ConnOption {
	return connOption(func(c *connConfig) { c.heartbeat = within(time.Second, d, maxHeartbeat*time.Second) })
}

// WithMaxMessageSize bounds the bodies of requests and replies in both directions, in
// bytes. A larger body is resource_exhausted, also if it is larger only when it is
// decompressed ([WithCompression]). The default is 16 MiB, which is the default
// limit of RabbitMQ 4. For a larger bound, raise the broker's max_message_size as well.
// Values below 1 leave the default.
func WithMaxMessageSize(bytes int) ConnOption {
	return connOption(func(c *connConfig) {
		if bytes > 0 {
			c.maxMessageSize = bytes
		}
	})
}
