package contender

import (
	"encoding/binary"
	"fmt"
	"net"
	"strconv"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

const (
	// leastFrameMax is as much as a connection reads at once, so that each frame fits.
	leastFrameMax = 64 << 10
	// leastPatience limits the answers of the broker when a connection begins and ends.
	leastPatience = 10 * time.Second
	// leastPrefetch is that of the baseline's server.
	leastPrefetch = baselinePrefetch
)

// leastConn is a connection with one channel. It has no heartbeats and does not come back.
// One goroutine reads.
type leastConn struct {
	conn       net.Conn
	buf        []byte
	start, end int    // buf[start:end] has come and is not taken
	joined     []byte // the body of a message of several frames
}

// dialLeast connects and opens the channel.
func dialLeast(url string) (*leastConn, error) {
	uri, err := amqp.ParseURI(url)
	if err != nil {
		return nil, err
	}
	conn, err := net.Dial("tcp", net.JoinHostPort(uri.Host, strconv.Itoa(uri.Port)))
	if err != nil {
		return nil, err
	}
	c := &leastConn{conn: conn, buf: make([]byte, leastFrameMax)}
	if err := c.open(&uri); err != nil {
		conn.Close()
		return nil, err
	}
	return c, nil
}

func (c *leastConn) open(uri *amqp.URI) error {
	if _, err := c.ask([]byte("AMQP\x00\x00\x09\x01"), connectionStart); err != nil {
		return err
	}
	capabilities := leastTable(fieldName("consumer_cancel_notify"), true, fieldName("authentication_failure_close"), true)
	args, err := c.ask(appendMethod(nil, connectionStartOk,
		leastTable(fieldName("product"), "least", fieldName("capabilities"), capabilities),
		"PLAIN", []byte("\x00"+uri.Username+"\x00"+uri.Password), "en_US"), connectionTune)
	if err != nil {
		return err
	}
	channels, most := uint16(args.number(2)), args.number(4)
	if most > 0 && most < leastFrameMax {
		return fmt.Errorf("the broker's frame_max is %d, and least needs %d", most, leastFrameMax)
	}
	tune := appendMethod(nil, connectionTuneOk, channels, uint32(leastFrameMax), uint16(0))
	if _, err := c.ask(appendMethod(tune, connectionOpen, uri.Vhost, "", byte(0)), connectionOpenOk); err != nil {
		return err
	}
	_, err = c.ask(appendMethod(nil, channelOpen, ""), channelOpenOk)
	return err
}

// ask writes frames and returns the arguments of the answer.
func (c *leastConn) ask(frames []byte, answer uint32) (leastFields, error) {
	if err := c.conn.SetDeadline(time.Now().Add(leastPatience)); err != nil {
		return nil, err
	}
	if _, err := c.conn.Write(frames); err != nil {
		return nil, err
	}
	for {
		if m, ok := c.take(); ok && m.id != answer {
			return nil, m.surprise()
		} else if ok {
			return m.args, c.conn.SetDeadline(time.Time{})
		}
		if err := c.fill(); err != nil {
			return nil, fmt.Errorf("read the broker's answer: %w", err)
		}
	}
}

// take takes the first method from the buffer, unless some of it has not come.
func (c *leastConn) take() (m leastMethod, ok bool) {
	kind, payload, at, ok := c.frame(c.start)
	if !ok {
		return m, false
	}
	if kind == frameMethod && len(payload) >= 4 {
		m.id, m.args = binary.BigEndian.Uint32(payload), payload[4:]
	}
	if m.id == basicDeliver || m.id == basicReturn {
		if kind, payload, at, ok = c.frame(at); !ok {
			return m, false
		}
		if kind != frameHeader || len(payload) < 12 {
			return leastMethod{}, true
		}
		m.properties = payload[12:]
		if at, ok = c.body(&m, at, binary.BigEndian.Uint64(payload[4:])); !ok {
			return m, false
		}
	}
	c.start = at
	return m, true
}

// body takes the frames of a body from the buffer.
func (c *leastConn) body(m *leastMethod, at int, size uint64) (next int, ok bool) {
	c.joined = c.joined[:0]
	for uint64(len(m.body)) < size {
		_, payload, next, ok := c.frame(at)
		if !ok {
			return at, false
		}
		if at = next; uint64(len(payload)) == size {
			m.body = payload
			break
		}
		c.joined = append(c.joined, payload...)
		m.body = c.joined
	}
	return at, true
}

// frame returns the frame at an index of the buffer, and the index after that frame. The kind
// is 0 if it is no frame of AMQP.
func (c *leastConn) frame(at int) (kind byte, payload []byte, next int, ok bool) {
	if c.end-at < frameHead+1 {
		return 0, nil, at, false
	}
	next = at + frameHead + int(binary.BigEndian.Uint32(c.buf[at+3:])) + 1
	if next > c.end {
		return 0, nil, at, false
	}
	if c.buf[next-1] == frameEnd {
		kind = c.buf[at]
	}
	return kind, c.buf[at+frameHead : next-1], next, true
}

// fill reads once. The buffer grows if a message does not fit.
func (c *leastConn) fill() error {
	if c.start > 0 {
		c.end = copy(c.buf, c.buf[c.start:c.end])
		c.start = 0
	}
	if c.end == len(c.buf) {
		c.buf = append(c.buf, make([]byte, len(c.buf))...)
	}
	n, err := c.conn.Read(c.buf[c.end:])
	c.end += n
	return err
}

// close ends the connection, and waits for the goroutine that reads, which closes it.
func (c *leastConn) close(last []byte, reader <-chan struct{}) {
	_ = c.conn.SetReadDeadline(time.Now().Add(leastPatience)) // a connection that is lost has ended already
	_, _ = c.conn.Write(appendMethod(last, connectionClose, uint16(200), "", uint16(0), uint16(0)))
	<-reader
}
