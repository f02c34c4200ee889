package amqptest

import (
	"time"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/frame"
)

// handshakeTimeout is how long a client may take from connecting to
// connection.open, as in RabbitMQ.
const handshakeTimeout = 10 * time.Second

// greet reads the protocol header and offers connection.start. A header of
// another protocol is answered with ours and the connection ends.
func (c *connection) greet() bool {
	_ = c.link.SetReadDeadline(time.Now().Add(handshakeTimeout))
	header, err := c.frames.ReadProtocolHeader()
	if err != nil {
		c.log.Debug("no protocol header", "error", err)
		return false
	}
	c.b.lock()
	understood := c.answerHeader(header)
	c.b.release()
	if !understood {
		<-c.written
		c.link.orderly = true
	}
	return understood
}

// answerHeader offers connection.start, or says what the broker speaks instead.
func (c *connection) answerHeader(header [8]byte) bool {
	if h := string(header[:]); h != frame.ProtocolHeader && h != "AMQP\x01\x01\x00\x09" {
		c.log.Info("protocol refused", "header", header)
		c.out.add(func(dst []byte) []byte { return append(dst, c.b.cfg.follow.otherProtocol()...) })
		c.toWake()
		c.b.flush()
		c.out.finish()
		return false
	}
	c.send(0, &frame.ConnectionStart{
		VersionMajor: 0, VersionMinor: 9,
		ServerProperties: serverProperties(&c.b.cfg),
		Mechanisms:       c.b.cfg.follow.mechanisms(),
		Locales:          "en_US",
	})
	return true
}

func serverProperties(cfg *config) frame.Table {
	return frame.Table{
		{Key: "capabilities", Value: frame.Table{
			{Key: "publisher_confirms", Value: true},
			{Key: "exchange_exchange_bindings", Value: true},
			{Key: "basic.nack", Value: true},
			{Key: "consumer_cancel_notify", Value: true},
			{Key: "connection.blocked", Value: true},
			{Key: "consumer_priorities", Value: true},
			{Key: "authentication_failure_close", Value: true},
			{Key: "per_consumer_qos", Value: true},
			{Key: "direct_reply_to", Value: true},
		}},
		{Key: "cluster_name", Value: "amqptest"},
		{Key: "information", Value: "an in-process broker for tests; it keeps nothing"},
		{Key: "platform", Value: "Go"},
		{Key: "product", Value: cfg.product},
		{Key: "version", Value: cfg.follow.String()},
	}
}

// negotiate runs the methods of the handshake, each in its phase.
func (c *connection) negotiate(m frame.Method) *exception {
	switch m := m.(type) {
	case *frame.ConnectionStartOk:
		if c.is(starting) {
			return c.startOk(m)
		}
	case *frame.ConnectionSecureOk:
		if c.is(securing) {
			return c.login(m.Response)
		}
	case *frame.ConnectionTuneOk:
		if c.is(tuning) {
			return c.tuneOk(m)
		}
	case *frame.ConnectionOpen:
		if c.is(opening) {
			return c.open(m)
		}
	case *frame.ConnectionUpdateSecret:
		if c.is(running) {
			c.send(0, &frame.ConnectionUpdateSecretOk{})
			return nil
		}
	}
	return fail(channelError, "unexpected method in connection state %s", phase(c.phase.Load()))
}

// String is the state's name in RabbitMQ's exceptions.
func (p phase) String() string {
	return [...]string{"starting", "securing", "tuning", "opening", "running", "closed"}[p]
}

func (c *connection) startOk(m *frame.ConnectionStartOk) *exception {
	if v, ok := m.ClientProperties.Lookup("capabilities"); ok {
		capabilities, _ := v.(frame.Table)
		can := func(name string) bool {
			v, _ := capabilities.Lookup(name)
			yes, _ := v.(bool)
			return yes
		}
		c.knowsCancel = can("consumer_cancel_notify")
		c.knowsBlocked = can("connection.blocked")
		c.knowsAuthFailure = can("authentication_failure_close")
	}
	c.properties = m.ClientProperties
	if v, ok := m.ClientProperties.Lookup("connection_name"); ok {
		c.name, _ = v.(string)
	}
	auth, ok := mechanisms[m.Mechanism]
	if m.Mechanism == "ANONYMOUS" && c.b.since(RabbitMQ40) {
		auth, ok = c.b.anonymous, true
	}
	if !ok {
		return fail(commandInvalid, "unknown authentication mechanism '%s'", m.Mechanism)
	}
	c.auth = auth
	c.mechanism = m.Mechanism
	c.enter(securing)
	return c.login(m.Response)
}

// login checks what the client answered. A refusal is said only to clients that
// announced that they understand it.
func (c *connection) login(response []byte) *exception {
	name, password, ex := c.auth(response)
	if ex != nil {
		return ex
	}
	if a := c.b.users[name]; a == nil || !a.knows(password) {
		c.log.Warn("login refused", "mechanism", c.mechanism)
		if !c.knowsAuthFailure {
			c.endSilently()
			return nil
		}
		return fail(accessRefused, "Login was refused using authentication mechanism %s. "+
			"For details see the broker logfile.", c.mechanism).silent()
	}
	c.user = name
	c.enter(tuning)
	c.send(0, &frame.ConnectionTune{
		ChannelMax: c.b.cfg.channelMax,
		FrameMax:   c.b.cfg.frameMax,
		Heartbeat:  uint16(c.b.cfg.heartbeat / time.Second),
	})
	return nil
}

func (c *connection) tuneOk(m *frame.ConnectionTuneOk) *exception {
	if ex := negotiated("frame_max", m.FrameMax, c.b.cfg.frameMax, c.b.cfg.follow.leastFrameMax()); ex != nil {
		return ex
	}
	if ex := negotiated("channel_max", uint32(m.ChannelMax), uint32(c.b.cfg.channelMax), 1); ex != nil {
		return ex
	}
	c.channelMax, c.frameMax = m.ChannelMax, m.FrameMax
	// RabbitMQ forgives a payload that is the frame's overhead too long.
	c.frames.SetMaxPayload(m.FrameMax)
	c.beat = startHeartbeat(c, time.Duration(m.Heartbeat)*time.Second)
	c.enter(opening)
	return nil
}

// negotiated refuses a limit outside of what the broker allows. RabbitMQ means
// to say why, and hangs up instead.
func negotiated(field string, client, server, least uint32) *exception {
	detail := ""
	if field == "channel_max" && client == 0 {
		detail = " (no limit)"
	}
	var ex *exception
	switch {
	case client != 0 && client < least:
		ex = fail(notAllowed, "negotiated %s = %d%s is lower than the minimum allowed value (%d)",
			field, client, detail, least).untold()
	case server != 0 && (client == 0 || client > server):
		ex = fail(notAllowed, "negotiated %s = %d%s is higher than the maximum allowed value (%d)",
			field, client, detail, server).untold()
	}
	return ex
}

func (c *connection) open(m *frame.ConnectionOpen) *exception {
	v, ok := c.b.vhosts[m.VirtualHost]
	if !ok {
		return fail(notAllowed, "vhost %s not found", m.VirtualHost)
	}
	a := c.b.users[c.user]
	if a == nil {
		a = &account{stranger: true} // deleted since it logged in
	}
	if c.permissions, ok = a.enter(v.name); !ok {
		return fail(notAllowed, "access to vhost '%s' refused for user '%s'", m.VirtualHost, c.user)
	}
	c.vhost = v
	c.enter(running)
	_ = c.link.SetReadDeadline(time.Time{})
	c.send(0, &frame.ConnectionOpenOk{})
	if c.b.recording() {
		c.b.emit(Event{Kind: ConnectionOpened, Connection: c.name, ConnectionID: c.id}, nil)
	}
	c.log.Debug("open", "vhost", v.name)
	return nil
}
