package transport_test

import (
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/frame"
	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/transport"
)

const (
	beatOfPeers = 10 * time.Second // see dialPeer
	lostFirst   = beatOfPeers * 5 / 4
	lostLast    = beatOfPeers * 3 / 2
)

// speak has the peer send a heartbeat now and then, until the test ends.
func (p *peer) speak(every time.Duration) {
	for {
		select {
		case <-time.After(every):
			p.conn.Write(frame.AppendHeartbeat(nil))
		case <-p.t.Context().Done():
			return
		}
	}
}

// A connection on which nothing is written sends heartbeats.
func TestHeartbeatsOfAnIdleClient(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, p := dialPeer(t)
		go p.speak(beatOfPeers / 2)
		for range 20 {
			begin := time.Now()
			time.Sleep(beatOfPeers * 3 / 10)
			c.Flush() // of nothing
			f, err := p.r.Next()
			require.NoError(t, err)
			require.Equal(t, frame.TypeHeartbeat, f.Type)
			require.LessOrEqual(t, time.Since(begin), beatOfPeers/2)
		}
		require.False(t, c.IsClosed())
	})
}

// What is written instead makes heartbeats unnecessary. What comes instead is as good.
func TestNoHeartbeatsOfABusyClient(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, p := dialPeer(t)
		ch, to := p.open(c, 1)
		for n := range 30 {
			time.Sleep(beatOfPeers / 5)
			go func() { require.NoError(panics{}, ch.Write(ch.AppendAck(nil, 1, false))) }()
			f, err := p.r.Next()
			require.NoError(t, err)
			require.Equal(t, frame.TypeMethod, f.Type)
			if n%4 == 0 {
				p.conn.Write((&frame.BasicAck{DeliveryTag: uint64(n)}).AppendFrame(nil, 1))
				<-to.confirms
			}
		}
		require.False(t, c.IsClosed())
	})
}

// A peer that says nothing any more ends the connection, whether it reads or not.
func TestSilentPeer(t *testing.T) {
	t.Parallel()
	for _, reads := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			c, p := dialPeer(t)
			if reads {
				go io.Copy(io.Discard, p.conn)
			}
			time.Sleep(time.Second)
			p.conn.Write(frame.AppendHeartbeat(nil))
			begin := time.Now()
			<-c.Lost()
			require.GreaterOrEqual(t, time.Since(begin), lostFirst)
			require.LessOrEqual(t, time.Since(begin), lostLast)
			require.EqualError(t, c.Err(), "the connection was lost: the broker has sent nothing for 12.5s")
		})
	}
}

// What the broker sends right behind the handshake is not the driver's.
func TestFramesBehindTheHandshake(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, p := dialPeer(t)
		require.Equal(t, transport.Blocking{Active: true, Reason: "early"}, <-p.blocked)
	})
}

// A connection is closed in good order, if the broker answers in time. Nothing is written
// behind connection.close.
func TestCloseOfAConnection(t *testing.T) {
	t.Parallel()
	for _, answers := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			c, p := dialPeer(t)
			ch, _ := p.open(c, 1)
			begin := time.Now()
			answered := make(chan bool)
			go func() { answered <- c.Close(time.Second) }()
			require.EqualValues(t, 200, expect[*frame.ConnectionClose](p, 0).ReplyCode)
			require.True(t, c.IsClosed())
			require.ErrorIs(t, publish(ch, "q", "late"), transport.ErrClosed)
			if answers {
				p.send(0, &frame.ConnectionCloseOk{})
			}
			require.Equal(t, answers, <-answered)
			require.Equal(t, !answers, time.Since(begin) == time.Second)
			require.EqualError(t, c.Err(), "the connection was closed")
			require.Nil(t, <-ch.Closed())
			require.Nil(t, p.read(), "the socket is closed")
		})
	}
}

// A connection that cannot be written is closed within the time. (Not in a bubble: a wait for
// a mutex does not count as idle there.)
func TestCloseOfAStalledConnection(t *testing.T) {
	t.Parallel()
	c, p := dialPeer(t)
	ch, _ := p.open(c, 1)
	stuck := make(chan error)
	go func() { stuck <- publish(ch, "q", "stuck") }()
	_, err := p.conn.Read(make([]byte, 1))
	require.NoError(t, err)
	begin := time.Now()
	require.False(t, c.Close(20*time.Millisecond))
	require.GreaterOrEqual(t, time.Since(begin), 20*time.Millisecond)
	require.Error(t, <-stuck)
}

// The broker's close is answered, and is why the connection is lost.
func TestCloseByTheBroker(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, p := dialPeer(t)
		ch, _ := p.open(c, 1)
		p.send(0, &frame.ConnectionClose{ReplyCode: 320, ReplyText: "CONNECTION_FORCED - bye"})
		expect[*frame.ConnectionCloseOk](p, 0)
		<-c.Lost()
		require.ErrorContains(t, c.Err(), "the broker closed the connection")
		require.Equal(t, 320, transport.Code(c.Err()))
		require.Nil(t, <-ch.Closed())
		require.ErrorContains(t, ch.Prefetch(t.Context(), 1), "the broker closed the connection")
		require.False(t, c.Close(time.Second))
	})
}

// A broker that breaks the protocol is told so. Its answer is waited for, but not for long.
func TestBrokerThatBreaksTheProtocol(t *testing.T) {
	t.Parallel()
	for _, answers := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			c, p := dialPeer(t)
			begin := time.Now()
			p.send(7, &frame.QueueDeclareOk{})
			m := expect[*frame.ConnectionClose](p, 0)
			require.EqualValues(t, 504, m.ReplyCode)
			require.Equal(t, "queue.declare-ok on channel 7, which is not open", m.ReplyText)
			if answers {
				p.send(0, &frame.ConnectionCloseOk{})
			}
			<-c.Lost()
			require.Equal(t, !answers, time.Since(begin) == time.Second)
			require.Equal(t, 504, transport.Code(c.Err()))
		})
	}
}
