package transport

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// Config says how to connect.
type Config struct {
	URLs      []string // of the brokers, which are tried in turn; at least one
	Name      string   // under which the broker lists the connection
	Heartbeat time.Duration
	Timeout   time.Duration // of one attempt to connect
	TLS       *tls.Config   // of amqps URLs; nil takes it from the URL
	Dial      func(network, addr string) (net.Conn, error)
}

// Dialer makes connections, to one broker or, in turn, to several. It is not safe
// for concurrent use.
type Dialer struct {
	cfg    Config
	target []target
	turn   int
	fast   int // connections closed in answer to the credentials, too soon for a refusal
}

// target is one broker.
type target struct {
	url  string
	addr string // host:port, for messages: the URL holds a password
	user string // "" where the URL does not say as whom the broker authenticates
	tls  *tls.Config
}

// NewDialer checks the configuration. It does not connect. No error holds any part
// of a URL, which may hold a password.
func NewDialer(cfg Config) (*Dialer, error) {
	d := &Dialer{cfg: cfg}
	for _, u := range cfg.URLs {
		t, err := newTarget(u, cfg.TLS)
		if err != nil {
			return nil, err
		}
		d.target = append(d.target, t)
	}
	return d, nil
}

const urlForm = "the broker's URL is not of the form amqp://user:password@host:port/vhost"

func newTarget(rawURL string, given *tls.Config) (target, error) {
	if !strings.HasPrefix(rawURL, "amqp://") && !strings.HasPrefix(rawURL, "amqps://") {
		return target{}, errors.New(urlForm + ": AMQP scheme must be either 'amqp://' or 'amqps://'")
	}
	uri, err := amqp.ParseURI(rawURL)
	if err != nil { // the driver's error repeats parts of the URL
		return target{}, errors.New(urlForm + ": special characters in user, password and virtual host are percent-encoded")
	}
	t := target{url: rawURL, addr: net.JoinHostPort(uri.Host, fmt.Sprint(uri.Port)), user: userOf(rawURL, uri)}
	if uri.Scheme != "amqps" {
		if given != nil {
			return target{}, errors.New("a TLS configuration is given, and the broker's URL says amqp:// and not amqps://: the connection would not be encrypted")
		}
		return t, nil
	}
	if t.tls, err = tlsConfig(given, uri); err != nil {
		return target{}, err
	}
	// TLS is made here and not by the driver, which has the connection for the handshake only.
	t.url = "amqp" + strings.TrimPrefix(rawURL, "amqps")
	return t, nil
}

// userOf returns the user of a URL. A URL without one means guest, but not where the
// broker takes the user from the client's certificate.
func userOf(rawURL string, uri amqp.URI) string {
	external := slices.ContainsFunc(uri.AuthMechanism, func(m string) bool { return strings.EqualFold(m, "external") })
	if u, err := url.Parse(rawURL); external && (err != nil || u.User == nil) {
		return ""
	}
	return uri.Username
}

// User returns the user that the URLs name; "" if they name none, or not all the same.
func (d *Dialer) User() string {
	for _, t := range d.target {
		if t.user != d.target[0].user {
			return ""
		}
	}
	return d.target[0].user
}

// Addr returns host and port of the broker that the next Dial connects to.
func (d *Dialer) Addr() string { return d.next().addr }

func (d *Dialer) next() *target { return &d.target[d.turn%len(d.target)] }

// Dial connects once. If it cannot, the next Dial tries the next broker. Dial ends
// with ctx, or after the timeout of the configuration. A [IsPermanent] error is one
// that another attempt cannot cure.
func (d *Dialer) Dial(ctx context.Context, w Watcher) (*Conn, error) {
	c, err := d.connect(ctx, w)
	if err != nil && !IsPermanent(err) {
		d.turn++
	}
	return c, err
}

func (d *Dialer) connect(ctx context.Context, w Watcher) (*Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, d.cfg.Timeout)
	defer cancel()
	t := d.next()
	lent := make(chan *loan, 1)
	done := make(chan error, 1)
	start := time.Now()
	var tuned amqp.Config
	go func() {
		conn, err := amqp.DialConfig(t.url, d.driverConfig(ctx, t, lent))
		if err == nil {
			tuned = conn.Config
		}
		done <- err
	}()
	var l *loan
	var err error
	gaveUp := false
	select {
	case err = <-done:
	case <-ctx.Done():
		// The handshake takes no ctx: closing the socket ends it. Before there is a
		// socket, the dial function ends with ctx by itself.
		gaveUp = true
		select {
		case l = <-lent:
			l.socket.raw.Close()
			<-done
		case <-done:
		}
	}
	if l == nil {
		select {
		case l = <-lent:
		default:
		}
	}
	if l != nil {
		l.end()
	}
	if err == nil && !gaveUp {
		d.fast = 0
		return newConn(l.socket, &tuned, w), nil
	}
	if l != nil {
		l.socket.raw.Close()
	}
	if gaveUp {
		return nil, fmt.Errorf("connect to %s: %w", t.addr, context.Cause(ctx))
	}
	return nil, d.explain(err, time.Since(start))
}

// driverConfig is the driver's configuration for one handshake. The connection that the driver
// has for it is sent to lent.
func (d *Dialer) driverConfig(ctx context.Context, t *target, lent chan<- *loan) amqp.Config {
	return amqp.Config{
		Heartbeat:  d.cfg.Heartbeat,
		Properties: clientProperties(d.cfg.Name),
		Dial: func(network, _ string) (net.Conn, error) {
			raw, err := d.dialRaw(ctx, network, t.addr)
			if err != nil {
				return nil, err
			}
			conn := raw
			if t.tls != nil {
				if conn, err = handshake(ctx, raw, t.tls); err != nil {
					raw.Close()
					return nil, err
				}
			}
			s := newSocket(conn, raw, 2*d.cfg.Heartbeat)
			l := &loan{Conn: conn, socket: s, over: make(chan struct{})}
			lent <- l
			return l, nil
		},
	}
}

// dialRaw ends with ctx, though a dial function of the user's may not. A connection
// that such a function makes too late is closed.
func (d *Dialer) dialRaw(ctx context.Context, network, addr string) (net.Conn, error) {
	if d.cfg.Dial == nil {
		return (&net.Dialer{}).DialContext(ctx, network, addr)
	}
	type result struct {
		conn net.Conn
		err  error
	}
	done := make(chan result, 1)
	go func() {
		conn, err := callDial(d.cfg.Dial, network, addr)
		done <- result{conn, err}
	}()
	select {
	case r := <-done:
		return r.conn, r.err
	case <-ctx.Done():
		go func() {
			if r := <-done; r.err == nil {
				r.conn.Close()
			}
		}()
		return nil, ctx.Err()
	}
}
