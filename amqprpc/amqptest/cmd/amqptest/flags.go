package main

import (
	"crypto/tls"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"

	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
)

// settings are what the command line says.
type settings struct {
	addr, user, management string
	options                []amqptest.Option
	users                  []string // further ones, name:password
	permissions            []string
	definitions            string
}

// releases are those that -follow knows. Nothing changes the map.
var releases = map[string]amqptest.Version{
	"3.10": amqptest.RabbitMQ310, "4.0": amqptest.RabbitMQ40, "4.3": amqptest.RabbitMQ43,
}

// list is a flag that may be given several times.
type list []string

func (l *list) String() string     { return strings.Join(*l, " ") }
func (l *list) Set(s string) error { *l = append(*l, s); return nil }

func parse(args []string, out io.Writer) (*settings, error) {
	s := &settings{}
	flags := flag.NewFlagSet("amqptest", flag.ContinueOnError)
	flags.SetOutput(out)
	flags.StringVar(&s.addr, "addr", "127.0.0.1:5680", "the `address` to listen on; another host than loopback opens it to the network")
	flags.StringVar(&s.user, "user", "guest", "the user's `name`")
	password := flags.String("password", "guest", "the user's password")
	flags.Var((*list)(&s.users), "add-user", "a further user, `name:password`, with all permissions unless -permissions says otherwise; may be repeated")
	flags.Var((*list)(&s.permissions), "permissions", "what a user may do in each virtual host, `name:configure:write:read`, in regular expressions; may be repeated")
	vhosts := flags.String("vhosts", "", "further virtual hosts, `separated by commas`")
	follow := flags.String("follow", "3.10", "the `release` of RabbitMQ to follow: 3.10, 4.0 or 4.3")
	flags.StringVar(&s.definitions, "definitions", "", "a `file` of RabbitMQ's definitions, in JSON, to begin with")
	flags.StringVar(&s.management, "management", "", "the `address` of the management API; none without it")
	secure := tlsFlags(flags)
	limits := limitFlags(flags)
	verbose := flags.Bool("v", false, "say what happens to connections and channels")
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	release, ok := releases[*follow]
	if !ok {
		return nil, fmt.Errorf("amqptest: -follow %s: want 3.10, 4.0 or 4.3", *follow)
	}
	s.options = append(limits(), amqptest.WithUser(s.user, *password), amqptest.Follow(release))
	if *vhosts != "" {
		s.options = append(s.options, amqptest.WithVHosts(strings.Split(*vhosts, ",")...))
	}
	if *verbose {
		s.options = append(s.options, amqptest.WithLogger(slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{Level: slog.LevelDebug}))))
	}
	if err := s.readUsers(); err != nil {
		return nil, err
	}
	option, err := secure()
	if option != nil {
		s.options = append(s.options, option)
	}
	return s, err
}

// readUsers makes options of -add-user, and looks at -permissions.
func (s *settings) readUsers() error {
	for _, u := range s.users {
		name, password, ok := strings.Cut(u, ":")
		if !ok || password == "" {
			return fmt.Errorf("amqptest: -add-user: want name:password") // which may be a password
		}
		s.options = append(s.options, amqptest.WithUser(name, password))
	}
	for _, p := range s.permissions {
		if strings.Count(p, ":") != 3 {
			return fmt.Errorf("amqptest: -permissions %s: want name:configure:write:read", p)
		}
	}
	return nil
}

// tlsFlags are the flags for TLS; what they return makes an option of them, or nil.
func tlsFlags(flags *flag.FlagSet) func() (amqptest.Option, error) {
	cert := flags.String("tls-cert", "", "a `file` with the certificate, in PEM, to serve TLS with")
	key := flags.String("tls-key", "", "the `file` with its key")
	addr := flags.String("tls-addr", "", "serve TLS on this `address`, and -addr without; else -addr has TLS if there is a certificate")
	return func() (amqptest.Option, error) {
		if *cert == "" && *key == "" && *addr == "" {
			return nil, nil
		}
		pair, err := tls.LoadX509KeyPair(*cert, *key)
		if err != nil {
			return nil, fmt.Errorf("amqptest: -tls-cert and -tls-key: %w", err)
		}
		cfg := &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
		if *addr == "" {
			return amqptest.WithTLS(cfg), nil
		}
		return amqptest.WithTLSListener(*addr, cfg), nil
	}
}

// limitFlags are the flags for limits and the like; what they return makes options of them.
func limitFlags(flags *flag.FlagSet) func() []amqptest.Option {
	channels := flags.Uint("channel-max", 2047, "the most channels of a connection; 0 for no limit")
	frame := flags.Uint("frame-max", 131072, "the greatest frame, in bytes")
	heartbeat := flags.Duration("heartbeat", 0, "the heartbeat to propose, in whole seconds; 0 for RabbitMQ's 60s")
	message := flags.Int("max-message-size", 0, "the greatest message, in bytes; 0 for the release's own limit")
	memory := flags.Int64("memory-limit", 512<<20, "how much queued messages may occupy, in bytes, before publishers are blocked")
	timeout := flags.Duration("consumer-timeout", 0, "how long a delivery may wait for its acknowledgement; 0 for RabbitMQ's 30m")
	login := flags.Duration("login-delay", 0, "how long a refused login takes; RabbitMQ's is 3s")
	product := flags.String("product", "amqptest", "the product's `name` in the server's properties")
	return func() []amqptest.Option {
		options := []amqptest.Option{
			amqptest.WithChannelMax(uint16(min(*channels, 65535))), amqptest.WithFrameMax(uint32(min(*frame, 1<<31))),
			amqptest.WithMaxMessageSize(*message), amqptest.WithMemoryLimit(*memory),
			amqptest.WithLoginDelay(*login), amqptest.WithProduct(*product),
		}
		if *heartbeat > 0 {
			options = append(options, amqptest.WithHeartbeat(*heartbeat))
		}
		if *timeout > 0 {
			options = append(options, amqptest.WithConsumerTimeout(*timeout))
		}
		return options
	}
}

// prepare does what can only be done to a broker that runs.
func (s *settings) prepare(b *amqptest.Broker) error {
	for _, p := range s.permissions {
		parts := strings.Split(p, ":")
		for _, vhost := range b.VHosts() {
			if err := b.SetPermissions(vhost, parts[0], parts[1], parts[2], parts[3]); err != nil {
				return err
			}
		}
	}
	if s.definitions == "" {
		return nil
	}
	f, err := os.Open(s.definitions)
	if err != nil {
		return fmt.Errorf("amqptest: -definitions: %w", err)
	}
	defer f.Close()
	return b.ImportDefinitions(f)
}
