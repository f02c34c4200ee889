package amqprpc

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// link is one connection to the broker. It is never repaired: when it is lost a
// new one is made, with new channels and consumers. (The driver's own recovery
// gives up, and its confirms lie about what it could not know.)
type link struct {
	conn    *amqp.Connection
	sock    *sock
	opening chan struct{}      // holds something while a channel is opened: one at a time, so that its number can be told
	lost    chan *amqp.Error   // receives why, or is closed without a reason
	blocked chan amqp.Blocking // must be drained: an unread one stalls the connection
}

// dialer makes links, to one broker or, in turn, to several.
type dialer struct {
	cfg  connConfig
	urls []string
	turn int
	url  string // of the broker whose turn it is
	addr string // its host:port, for messages: the URL holds a password
	tls  *tls.Config
	fast int // connections closed in answer to the credentials, too soon for a refusal
}

func newDialer(rawURL, role string, cfg connConfig) (*dialer, error) {
	if cfg.name == "" {
		cfg.name = filepath.Base(os.Args[0]) + " (amqprpc " + role + ")"
	}
	d := &dialer{cfg: cfg, urls: append([]string{rawURL}, cfg.brokers...)}
	for range d.urls {
		if err := d.next(); err != nil {
			return nil, err
		}
	}
	return d, d.next()
}

// next makes it the next broker's turn.
func (d *dialer) next() error {
	d.url = d.urls[d.turn%len(d.urls)]
	d.turn++
	uri, err := amqp.ParseURI(d.url)
	if err != nil {
		// The text of a *url.Error repeats the URL with its password.
		if ue, ok := errors.AsType[*url.Error](err); ok {
			err = ue.Err
		}
		return fmt.Errorf("the broker's URL is not of the form amqp://user:password@host:port/vhost: %w", err)
	}
	d.addr = net.JoinHostPort(uri.Host, fmt.Sprint(uri.Port))
	d.tls = nil
	if uri.Scheme == "amqps" {
		if d.tls, err = tlsConfig(d.cfg.tls, uri); err != nil {
			return err
		}
		d.url = "amqp" + d.url[len("amqps"):]
	}
	return nil
}

// dial connects once, and leaves the turn to the next broker if it cannot. It
// ends with ctx, or after connectTimeout.
func (d *dialer) dial(ctx context.Context) (*link, error) {
	l, err := d.connect(ctx)
	if err != nil && !isPermanent(err) {
		d.next()
	}
	return l, err
}

func (d *dialer) connect(ctx context.Context) (*link, error) {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	l := &link{opening: make(chan struct{}, 1)}
	type result struct {
		conn *amqp.Connection
		err  error
	}
	dialled := make(chan *sock, 1)
	done := make(chan result, 1)
	start := time.Now()
	go func() {
		conn, err := amqp.DialConfig(d.url, d.config(ctx, dialled))
		done <- result{conn, err}
	}()
	var r result
	select {
	case r = <-done:
		select {
		case l.sock = <-dialled:
		default:
		}
	case <-ctx.Done():
		// The handshake takes no ctx: closing the socket ends it. Before there
		// is a socket the dialer ends with ctx by itself.
		select {
		case s := <-dialled:
			s.raw.Close()
			r = <-done
		case r = <-done:
		}
		if r.err == nil {
			r.conn.CloseDeadline(time.Now())
		}
		return nil, fmt.Errorf("connect to %s: %w", d.addr, context.Cause(ctx))
	}
	if r.err != nil {
		if l.sock != nil {
			l.sock.raw.Close()
		}
		return nil, d.explain(r.err, time.Since(start))
	}
	d.fast = 0
	l.conn = r.conn
	l.lost = l.conn.NotifyClose(make(chan *amqp.Error, 1))
	l.blocked = l.conn.NotifyBlocked(make(chan amqp.Blocking, 16))
	return l, nil
}

// config is the driver's configuration for one connection, whose socket is sent
// to dialled.
func (d *dialer) config(ctx context.Context, dialled chan<- *sock) amqp.Config {
	cfg := amqp.Config{
		Heartbeat: d.cfg.heartbeat,
		Properties: amqp.Table{
			"product":         "amqprpc-go",
			"platform":        "golang",
			"connection_name": d.cfg.name,
		},
		// The scheme has been changed to amqp, so that TLS is ours: messages go
		// past the driver, above it.
		Dial: func(network, _ string) (net.Conn, error) {
			dial := func(network, addr string) (net.Conn, error) {
				return (&net.Dialer{}).DialContext(ctx, network, addr)
			}
			if d.cfg.dial != nil {
				dial = func(network, addr string) (net.Conn, error) {
					return dialWithin(ctx, func() (net.Conn, error) { return d.cfg.dial(network, addr) })
				}
			}
			raw, err := dial(network, d.addr)
			if err != nil {
				return nil, err
			}
			conn := raw
			if d.tls != nil {
				t := tls.Client(raw, d.tls)
				if err := t.HandshakeContext(ctx); err != nil {
					raw.Close()
					return nil, err
				}
				conn = t
			}
			s := newSock(conn, raw, 2*d.cfg.heartbeat)
			if deadline, ok := ctx.Deadline(); ok {
				s.SetDeadline(deadline) // of the handshake; the driver clears it
			}
			go s.read(0)
			dialled <- s
			return s, nil
		},
	}
	return cfg
}

// dialWithin ends with ctx, though a dialer of the user's may not. What that brings
// too late is closed.
func dialWithin(ctx context.Context, dial func() (net.Conn, error)) (net.Conn, error) {
	type result struct {
		conn net.Conn
		err  error
	}
	done := make(chan result, 1)
	go func() {
		conn, err := dial()
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

// tlsConfig is what an amqps URL is dialled with: the configuration of WithTLS,
// or the URL's own parameters (https://www.rabbitmq.com/docs/uri-query-parameters).
func tlsConfig(given *tls.Config, uri amqp.URI) (*tls.Config, error) {
	if given != nil {
		cfg := given.Clone()
		if cfg.ServerName == "" {
			cfg.ServerName = uri.Host
		}
		return cfg, nil
	}
	cfg := &tls.Config{ServerName: uri.ServerName, MinVersion: tls.VersionTLS12}
	if cfg.ServerName == "" {
		cfg.ServerName = uri.Host
	}
	if uri.CACertFile != "" {
		pem, err := os.ReadFile(uri.CACertFile)
		if err != nil {
			return nil, fmt.Errorf("read the certificates to trust: %w", err)
		}
		cfg.RootCAs = x509.NewCertPool()
		if !cfg.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s holds no certificate", uri.CACertFile)
		}
	}
	if uri.CertFile != "" && uri.KeyFile != "" {
		cert, err := tls.LoadX509KeyPair(uri.CertFile, uri.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("load the client's certificate: %w", err)
		}
		cfg.Certificates = []tls.Certificate{cert}
	}
	return cfg, nil
}

// permanentError is a failure that repeating cannot cure.
type permanentError struct{ error }

func (e permanentError) Unwrap() error { return e.error }

func isPermanent(err error) bool {
	_, ok := errors.AsType[permanentError](err)
	return ok
}

// explain says what a failure to connect means and whether it is permanent.
func (d *dialer) explain(err error, took time.Duration) error {
	fail := func(advice string) error {
		return permanentError{fmt.Errorf("connect to %s: %s: %w", d.addr, advice, err)}
	}
	if ae, ok := errors.AsType[*amqp.Error](err); ok {
		switch {
		case ae == amqp.ErrCredentials:
			// The driver says so whenever the connection ends in answer to the
			// credentials. RabbitMQ waits before it closes on wrong ones; a
			// connection that is closed sooner was most likely only dropped,
			// unless it happens again.
			d.fast++
			if took < time.Second && d.fast < 3 {
				return fmt.Errorf("connect to %s: the connection was closed in the handshake: %w", d.addr, err)
			}
			return fail("the broker refused the user or password of the URL")
		case ae == amqp.ErrVhost:
			return fmt.Errorf("connect to %s: the connection was closed in the handshake: %w", d.addr, err)
		case ae == amqp.ErrSASL:
			return fail("the broker offers no login mechanism that the URL's credentials can be used with")
		case ae.Server && ae.Code == amqp.AccessRefused:
			return fail("the broker refused the user or password of the URL")
		case ae.Server && ae.Code == amqp.NotAllowed:
			return fail("the virtual host does not exist, or the user may not use it")
		}
	}
	var tlsRecord tls.RecordHeaderError
	var unknownCA x509.UnknownAuthorityError
	var hostname x509.HostnameError
	var verify *tls.CertificateVerificationError
	switch {
	case errors.As(err, &tlsRecord):
		return fail("the port does not speak TLS; use amqp:// for it, or the broker's TLS port")
	case errors.As(err, &unknownCA), errors.As(err, &hostname), errors.As(err, &verify):
		return fail("the broker's certificate is not trusted; see WithTLS")
	}
	return fmt.Errorf("connect to %s: %w", d.addr, err)
}

// do runs a driver call that takes no ctx. When ctx ends first the connection is
// given up, which ends the call.
func (l *link) do(ctx context.Context, f func() error) error {
	done := make(chan error, 1)
	go func() { done <- f() }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		l.abort()
		<-done
		return ctx.Err()
	}
}

// channel is one of a link's channels. Topology goes through the driver's
// Channel, messages through the tap and write.
type channel struct {
	*amqp.Channel
	link *link
	tap  tap
}

// channel opens a channel.
func (l *link) channel(ctx context.Context) (*channel, error) {
	c := &channel{link: l}
	err := l.do(ctx, func() (err error) {
		c.Channel, c.tap.channel, err = l.open()
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("open a channel: %w", err)
	}
	return c, nil
}

// open opens a channel of the driver's, and tells its number, which the driver
// does not.
func (l *link) open() (*amqp.Channel, uint16, error) {
	l.opening <- struct{}{}
	defer func() { <-l.opening }()
	ch, err := l.conn.Channel()
	l.sock.mu.Lock()
	defer l.sock.mu.Unlock()
	return ch, l.sock.scan.opened, err
}

// listen takes the channel's messages out of the driver's hands; the tap's
// functions are set by then.
func (c *channel) listen() { c.link.sock.add(&c.tap) }

// unlisten ends listen, for a channel that is closed.
func (c *channel) unlisten() { c.link.sock.remove(&c.tap) }

// appendPublish adds the frames of a message to the default exchange.
func (c *channel) appendPublish(dst []byte, key string, mandatory bool, p *amqp.Publishing) []byte {
	return appendPublish(dst, c.tap.channel, c.link.conn.Config.FrameSize, key, mandatory, p)
}

// write writes frames of this channel: see sock.writeFrames.
func (c *channel) write(frames []byte) error { return c.link.sock.writeFrames(&c.tap, frames) }

// mayPublish finds out whether the user may publish to the default exchange, on
// which all requests and replies go; without that a server would run requests and
// answer none. It publishes one message that no queue can get.
func (l *link) mayPublish(ctx context.Context) error {
	ch, err := l.channel(ctx)
	if err != nil {
		return err
	}
	returns := ch.NotifyReturn(make(chan amqp.Return, 1))
	closed := ch.NotifyClose(make(chan *amqp.Error, 1))
	err = l.do(ctx, func() error {
		return ch.Publish("", "amqprpc.probe."+newID(), true, false, amqp.Publishing{})
	})
	if err != nil {
		return fmt.Errorf("publish a probe: %w", err)
	}
	if returned, err := probed(ctx, returns, closed); !returned {
		return err
	}
	return l.do(ctx, ch.Close)
}

// probed waits for what becomes of a probe, and reports whether it was returned, which
// takes the right to publish. Neither that nor an error is a broker that is short of
// memory and takes nothing; that will pass.
func probed(ctx context.Context, returns <-chan amqp.Return, closed <-chan *amqp.Error) (bool, error) {
	patience := time.NewTimer(probePatience)
	defer patience.Stop()
	select {
	case _, returned := <-returns:
		if !returned { // the driver closes it with the channel
			return false, explainProbe(<-closed)
		}
		return true, nil
	case e := <-closed:
		return false, explainProbe(e)
	case <-patience.C:
		return false, nil
	case <-ctx.Done():
		return false, ctx.Err()
	}
}

// explainProbe says why the probe's channel was closed.
func explainProbe(e *amqp.Error) error {
	if e != nil && e.Code == amqp.AccessRefused {
		return permanentError{fmt.Errorf("publish to the default exchange: the user may not; grant it write on amq.default: %w", e)}
	}
	return errors.New("the connection was lost")
}

// probePatience is how long an answer to the probe is waited for.
const probePatience = 2 * time.Second

// abort drops the connection without a word to the broker.
func (l *link) abort() { l.sock.raw.Close() }

// close ends the connection in good order, within the time given.
func (l *link) close(within time.Duration) {
	l.conn.CloseDeadline(time.Now().Add(within))
	l.abort()
}

// lostError says why a link was lost.
func lostError(e *amqp.Error) error {
	if e == nil {
		return errors.New("the connection was closed")
	}
	if !e.Server {
		return fmt.Errorf("the connection was lost: %s", strings.TrimPrefix(e.Reason, "read "))
	}
	return fmt.Errorf("the broker closed the connection: %w", e)
}

// amqpCode is the reply code of the broker's exception within err, else 0.
func amqpCode(err error) int {
	if e, ok := errors.AsType[*amqp.Error](err); ok {
		return e.Code
	}
	return 0
}
