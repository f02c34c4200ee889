package differential

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/testing/rabbitmq"
)

// scenario is one script.
type scenario struct {
	name string // unique within its group
	run  func(*S)
}

// group is the scenarios of one subject.
type group struct {
	name      string
	scenarios []scenario

	// What a subject may need beyond a broker as it comes: on a node, something done before
	// its scenarios and undone after them, and on amqptest the same by option.
	setUp, tearDown func(context.Context, *rabbitmq.Node) error
	options         []amqptest.Option
	alone           bool // no other scenario may run meanwhile
	together        bool // but those of the group may run beside each other

	releases []string // those that it is about; nil for all
}

func (g group) about(release string) bool {
	return g.releases == nil || slices.Contains(g.releases, release)
}

// broker is what a scenario runs against.
type broker struct {
	addr string
	// block raises or clears the memory alarm.
	block func(on bool) error
	// operate does what rabbitmqctl does with these arguments.
	operate func(args ...string) error
}

func brokerAt(amqpURL string, block func(on bool) error) (broker, error) {
	u, err := url.Parse(amqpURL)
	if err != nil {
		return broker{}, err
	}
	return broker{addr: u.Host, block: block}, nil
}

// S is one run of a scenario.
type S struct {
	broker broker
	prefix string
	log    *transcript
	conns  []*Conn

	blocked    bool  // by Block
	control    *Conn // for looking at queues behind the scenario's back; nil until used
	queues     []string
	exchanges  []string
	nextConnID int
}

// failure is what a scenario panics with when it cannot go on.
type failure struct{ error }

func (s *S) fatal(format string, args ...any) {
	panic(failure{fmt.Errorf(format, args...)})
}

// runScenario gives the transcript of a scenario against a broker.
func runScenario(b broker, group string, sc scenario) (text string, err error) {
	s := &S{broker: b, prefix: group + "." + sc.name, log: newTranscript()}
	defer func() {
		switch p := recover().(type) {
		case nil:
		case failure:
			err = p
		default:
			panic(p)
		}
		s.cleanUp()
	}()
	sc.run(s)
	// First all, then the end: to close a channel gives what it had to consumers on the
	// next, who may or may not have it before they are closed themselves.
	for _, c := range s.conns {
		c.leftUnread()
	}
	for _, c := range s.conns {
		c.Close()
	}
	return s.log.String(), nil
}

// cleanUp ends what is left open and deletes what the scenario declared, so that a node
// serves any number of runs.
func (s *S) cleanUp() {
	for _, c := range s.conns {
		_ = c.nc.Close()
		<-c.done
	}
	defer func() {
		if s.control != nil {
			_ = s.control.nc.Close()
			<-s.control.done
		}
		_ = recover() // a broker that cannot be reached has been reported already
	}()
	for _, q := range s.queues {
		s.quietly("queue.delete", M{"queue": q})
	}
	for _, x := range s.exchanges {
		s.quietly("exchange.delete", M{"exchange": x})
	}
}

// declared remembers names for cleanUp.
func (s *S) declared(method string, args M) {
	if q, _ := args["queue"].(string); method == "queue.declare" && q != "" && !slices.Contains(s.queues, q) {
		s.queues = append(s.queues, q)
	}
	if x, _ := args["exchange"].(string); method == "exchange.declare" && x != "" && !slices.Contains(s.exchanges, x) && !strings.HasPrefix(x, "amq.") {
		s.exchanges = append(s.exchanges, x)
	}
}

// N is a name of this scenario's own, for a queue, an exchange or a routing key.
func (s *S) N(name string) string { return s.prefix + "." + name }

// Note writes a remark into the transcript.
func (s *S) Note(format string, args ...any) { s.log.add("# "+format, args...) }

// Connect opens a socket and records all that passes.
func (s *S) Connect() *Conn {
	s.nextConnID++
	c := connect(s, s.nextConnID)
	s.conns = append(s.conns, c)
	return c
}

// Dial opens a connection as guest, unrecorded.
func (s *S) Dial() *Conn { return s.DialAs(handshake{}) }

// DialAs opens a connection with another handshake, unrecorded.
func (s *S) DialAs(h handshake) *Conn {
	c := s.Connect()
	c.silent = true
	h.run(c)
	c.silent = false
	if c.closed {
		s.fatal("the handshake failed")
	}
	return c
}

// quietly calls a method on a new channel of the control connection.
func (s *S) quietly(method string, args M) *message {
	if s.control == nil {
		s.control = connect(s, 0)
		s.control.silent = true
		handshake{}.run(s.control)
	}
	ch := s.control.Channel()
	s.control.send(ch.id, method, args)
	m := ch.Expect(amqp091.byName[method].replies...)
	if !ch.closed {
		ch.Call("channel.close", M{"reply-code": 200})
	}
	s.control.channels = nil
	s.control.next = 0
	return m
}

// Settle waits until a queue has n messages ready, and writes down whether it ever had.
// It asks on a connection of its own: where n is also what the queue has before what was
// sent has reached it, wait for the confirms first.
func (s *S) Settle(queue string, n int) {
	last := "nothing"
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		m := s.quietly("queue.declare", M{"queue": queue, "passive": true})
		if m == nil {
			break
		}
		last = describeReceived(m)
		if m.fields["message-count"] == uint64(n) {
			s.log.add("# %s has %d messages ready", queue, n)
			return
		}
		s.control.await(5*time.Millisecond, func() bool { return false })
	}
	s.log.add("# %s never had %d messages ready: %s", queue, n, last)
}

// Consumers waits until a queue has n consumers.
func (s *S) Consumers(queue string, n int) {
	last := "nothing"
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		m := s.quietly("queue.declare", M{"queue": queue, "passive": true})
		if m == nil {
			break
		}
		last = describeReceived(m)
		if m.fields["consumer-count"] == uint64(n) {
			s.log.add("# %s has %d consumers", queue, n)
			return
		}
		s.control.await(5*time.Millisecond, func() bool { return false })
	}
	s.log.add("# %s never had %d consumers: %s", queue, n, last)
}

// Gone waits until a queue is no longer there.
func (s *S) Gone(queue string) {
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		m := s.quietly("queue.declare", M{"queue": queue, "passive": true})
		if m != nil && m.method.name == "channel.close" && m.fields["reply-code"] == uint64(404) {
			s.log.add("# %s is gone", queue)
			return
		}
		s.control.await(5*time.Millisecond, func() bool { return false })
	}
	s.log.add("# %s is still there", queue)
}

// Wait lets time pass, for what the broker's clock is to do unobserved.
func (s *S) Wait(d time.Duration) { <-time.After(d) }

// Block raises or clears the broker's memory alarm, unless it has done so already.
func (s *S) Block(on bool) {
	if on == s.blocked {
		return
	}
	s.blocked = on
	if err := s.broker.block(on); err != nil {
		s.fatal("memory alarm: %v", err)
	}
}

// handshake is how a connection is opened; the zero value is a guest on vhost "/" with
// the capabilities that clients commonly announce and no heartbeat.
type handshake struct {
	mechanism    string // default PLAIN
	response     string // default guest's
	vhost        string // default "/"
	capabilities Table  // nil for the common ones
	channelMax   int    // of tune-ok; 0 takes the broker's
	frameMax     int    // likewise
	heartbeat    int
	stopAfter    string // "start-ok" or "tune-ok": send that and no more
	full         bool   // write down connection.start and start-ok, which are long
}

func commonCapabilities() Table {
	return Table{
		"publisher_confirms": true, "consumer_cancel_notify": true, "basic.nack": true,
		"exchange_exchange_bindings": true, "connection.blocked": true, "authentication_failure_close": true,
	}
}

const protocolHeader = "AMQP\x00\x00\x09\x01"

func (h handshake) run(c *Conn) {
	if h.mechanism == "" {
		h.mechanism, h.response = "PLAIN", "\x00guest\x00guest"
	}
	if h.vhost == "" {
		h.vhost = "/"
	}
	if h.capabilities == nil {
		h.capabilities = commonCapabilities()
	}
	h.begin(c)
	if h.stopAfter == "start-ok" {
		return
	}
	tune := c.Expect("connection.tune")
	if tune == nil || tune.method.name != "connection.tune" {
		return
	}
	ok := M{"channel-max": h.channelMax, "frame-max": h.frameMax, "heartbeat": h.heartbeat}
	if h.channelMax == 0 {
		ok["channel-max"] = tune.fields["channel-max"]
	}
	if h.frameMax == 0 {
		ok["frame-max"] = tune.fields["frame-max"]
	}
	c.frameMax = int(asUint(ok["frame-max"]))
	c.send(0, "connection.tune-ok", ok)
	if h.stopAfter == "tune-ok" {
		return
	}
	c.Call("connection.open", M{"virtual-host": h.vhost})
}

// begin sends all that comes before the broker's verdict on the user.
func (h handshake) begin(c *Conn) {
	was := c.silent
	if !h.full {
		c.log(0, ">", fmt.Sprintf("connection.start-ok mechanism=%q response=%q", h.mechanism, h.response))
		c.silent = true
	}
	defer func() { c.silent = was }()
	c.Raw("(protocol header)", []byte(protocolHeader))
	c.Expect("connection.start")
	c.send(0, "connection.start-ok", M{
		"client-properties": Table{"capabilities": h.capabilities, "product": "differential"},
		"mechanism":         h.mechanism, "response": h.response, "locale": "en_US",
	})
}
