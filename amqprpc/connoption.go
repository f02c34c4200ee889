package amqprpc

import (
	"crypto/tls"
	"log/slog"
	"net"
	"time"
)

// WithLogger sets the logger of a server or client. They log lost connections, queues that
// are served or not, panics of handlers with their stacks, and refused requests. Each line
// has the name of the connection. The default is [slog.Default] at the time when the server
// or client is made. A nil logger turns logging off. Credentials and direct reply-to
// addresses are never logged.
func WithLogger(l *slog.Logger) ConnOption {
	if l == nil {
		l = slog.New(slog.DiscardHandler)
	}
	return connOption(func(c *connConfig) { c.logger = l })
}

// WithTLS sets the TLS configuration of an amqps:// URL. Each connection uses a clone. If
// the configuration has no ServerName, the certificate must be valid for the host of the
// URL. With an amqp:// URL, [Dial] and [Server.Serve] return an error with the code
// invalid_argument.
func WithTLS(cfg *tls.Config) ConnOption {
	return connOption(func(c *connConfig) { c.tls = cfg })
}

// WithDialer replaces the TCP dialer. The connection that dial returns must support
// deadlines.
func WithDialer(dial func(network, addr string) (net.Conn, error)) ConnOption {
	return connOption(func(c *connConfig) { c.dial = dial })
}

// WithConnectionName names the connection. The broker lists the connection under this name,
// and each log line has it. Only the first 255 bytes are used. The default is the name of
// the program and the role, server or client.
func WithConnectionName(name string) ConnOption {
	return connOption(func(c *connConfig) { c.name = name })
}

// WithBrokers adds the URLs of further brokers, normally the other nodes of a cluster. If
// one broker cannot be reached, the next one is tried.
func WithBrokers(urls ...string) ConnOption {
	return connOption(func(c *connConfig) { c.brokers = append(c.brokers, urls...) })
}

// WithHeartbeat sets the heartbeat interval of the connection. If the broker asks for a
// shorter interval, the shorter one is used. A dead peer is noticed after one and a half
// intervals. The default is 5 s. The interval is rounded down to whole seconds, from 1 s to
// 65,535 s.
func WithHeartbeat(d time.Duration) ConnOption {
	return connOption(func(c *connConfig) { c.heartbeat = within(time.Second, d, maxHeartbeat*time.Second) })
}

// WithMaxMessageSize limits the bodies of requests and replies, in bytes and in both
// directions. A larger body gets the code resource_exhausted. The default is 16 MiB, which
// is also the default limit of RabbitMQ 4. If you raise the limit, also raise the broker's
// max_message_size. Values below 1 leave the default.
func WithMaxMessageSize(bytes int) ConnOption {
	return connOption(func(c *connConfig) {
		if bytes > 0 {
			c.maxMessageSize = bytes
		}
	})
}
