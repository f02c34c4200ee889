package faultproxy

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestURL(t *testing.T) {
	t.Parallel()
	b := newBroker(t)
	p := newProxy(t, b)
	got, err := p.URL("amqp://me:secret@broker.example:5672/a%2Fb?heartbeat=3")
	require.NoError(t, err)
	require.Equal(t, "amqp://me:secret@"+p.Addr()+"/a%2Fb?heartbeat=3", got)
	_, err = p.URL("amqp://%zz")
	require.Error(t, err)
}

func TestForwardsAndCounts(t *testing.T) {
	t.Parallel()
	b := newBroker(t)
	p := newProxy(t, b)
	client, far := connect(t, p, b)
	big := string(bytes.Repeat([]byte("0123456789"), 100_000))
	var wg sync.WaitGroup
	wg.Go(func() { _, _ = io.WriteString(client, big) })
	wg.Go(func() { _, _ = io.WriteString(far, big+"x") })
	expect(t, far, big)
	expect(t, client, big+"x")
	wg.Wait()
	// The proxy counts a write just after it.
	want := Stats{Accepted: 1, Open: 1, ToBroker: 1_000_001, ToClient: 1_000_002}
	require.Eventually(t, func() bool { return p.Stats() == want }, patience, time.Millisecond)
}

func TestEndOfOneSideReachesTheOther(t *testing.T) {
	t.Parallel()
	eachDirection(t, func(t *testing.T, d Direction) {
		b := newBroker(t)
		p := newProxy(t, b)
		client, far := connect(t, p, b)
		from, to := ends(d, client, far)
		send(t, from, "last words")
		require.NoError(t, from.CloseWrite())
		expect(t, to, "last words")
		expectEnd(t, to, FIN)
		send(t, to, "the other way still works")
		expect(t, from, "the other way still works")
		require.NoError(t, to.Close())
		expectEnd(t, from, FIN)
		require.Eventually(t, func() bool { return p.Stats().Open == 0 }, patience, time.Millisecond)
	})
}

func TestResetOfOneSideReachesTheOther(t *testing.T) {
	t.Parallel()
	eachDirection(t, func(t *testing.T, d Direction) {
		b := newBroker(t)
		p := newProxy(t, b)
		client, far := connect(t, p, b)
		from, to := ends(d, client, far)
		abort(from)
		expectEnd(t, to, RST)
	})
}

func TestCut(t *testing.T) {
	t.Parallel()
	eachEnding(t, func(t *testing.T, how Ending) {
		b := newBroker(t)
		p := newProxy(t, b)
		client1, far1 := connect(t, p, b)
		client2, far2 := connect(t, p, b)
		p.Cut(how)
		for _, c := range []*net.TCPConn{client1, far1, client2, far2} {
			expectEnd(t, c, how)
			require.NoError(t, c.Close())
		}
		require.Eventually(t, func() bool { return p.Stats().Open == 0 }, patience, time.Millisecond)
		connect(t, p, b) // new connections still pass
		require.Equal(t, 3, p.Stats().Accepted)
	})
}

func TestCutAfterPassesExactlySoMany(t *testing.T) {
	t.Parallel()
	eachDirection(t, func(t *testing.T, d Direction) {
		for _, n := range []int64{1, 7, 16 << 10, 16<<10 + 1, 99_999} {
			t.Run(fmt.Sprint(n), func(t *testing.T) {
				t.Parallel()
				b := newBroker(t)
				p := newProxy(t, b)
				client, far := connect(t, p, b)
				from, to := ends(d, client, far)
				done := p.CutAfter(d, n, FIN)
				go func() { _, _ = from.Write(make([]byte, 100_000)) }()
				got, err := io.ReadAll(to)
				require.NoError(t, err)
				require.Len(t, got, int(n))
				<-done
				expectEnd(t, from, FIN)
			})
		}
	})
}

func TestCutAfterNothingCutsNow(t *testing.T) {
	t.Parallel()
	b := newBroker(t)
	p := newProxy(t, b)
	client, _ := connect(t, p, b)
	<-p.CutAfter(ToBroker, 0, RST)
	expectEnd(t, client, RST)
}

func TestCutAfterReplacesAnEarlierOne(t *testing.T) {
	t.Parallel()
	b := newBroker(t)
	p := newProxy(t, b)
	client, far := connect(t, p, b)
	first := p.CutAfter(ToBroker, 1, RST)
	second := p.CutAfter(ToBroker, 3, FIN)
	<-first
	send(t, client, "abcdef")
	expect(t, far, "abc")
	expectEnd(t, far, FIN)
	<-second
}

func TestStallAndResume(t *testing.T) {
	t.Parallel()
	eachDirection(t, func(t *testing.T, d Direction) {
		b := newBroker(t)
		p := newProxy(t, b)
		client, far := connect(t, p, b)
		from, to := ends(d, client, far)
		p.Stall(d)
		p.Stall(d) // a second Stall changes nothing
		send(t, from, "held back")
		expectSilence(t, to)
		send(t, to, "the other way is free")
		expect(t, from, "the other way is free")
		p.Resume(d)
		p.Resume(d)
		expect(t, to, "held back")
	})
}

func TestStallBlocksTheSenderAtLast(t *testing.T) {
	t.Parallel()
	b := newBroker(t)
	p := newProxy(t, b)
	client, _ := connect(t, p, b)
	p.Stall(ToBroker)
	require.NoError(t, client.SetWriteDeadline(time.Now().Add(time.Second)))
	var err error
	for range 1000 {
		if _, err = client.Write(make([]byte, 1<<20)); err != nil {
			break
		}
	}
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	p.Cut(RST)
	expectEnd(t, client, RST)
}

func TestStallMeetsNewConnections(t *testing.T) {
	t.Parallel()
	b := newBroker(t)
	p := newProxy(t, b)
	p.Stall(ToBroker)
	c, err := net.Dial("tcp", p.Addr())
	require.NoError(t, err)
	defer c.Close()
	send(t, c, "hello")
	far := b.next(t)
	expectSilence(t, far)
	p.Resume(ToBroker)
	expect(t, far, "hello")
}

func TestDropClientsLeavesTheBrokerInTheDark(t *testing.T) {
	t.Parallel()
	eachEnding(t, func(t *testing.T, how Ending) {
		b := newBroker(t)
		p := newProxy(t, b)
		client, far := connect(t, p, b)
		p.DropClients(how)
		expectEnd(t, client, how)
		send(t, far, "anybody there?")
		expectSilence(t, far)
		require.Equal(t, 1, p.Stats().Open)
		p.Cut(RST)
		expectEnd(t, far, RST)
	})
}

func TestDropBrokerLeavesTheClientInTheDark(t *testing.T) {
	t.Parallel()
	eachEnding(t, func(t *testing.T, how Ending) {
		b := newBroker(t)
		p := newProxy(t, b)
		client, far := connect(t, p, b)
		p.DropBroker(how)
		expectEnd(t, far, how)
		send(t, client, "anybody there?")
		expectSilence(t, client)
		p.Cut(FIN)
		expectEnd(t, client, FIN)
	})
}

func TestRefuseAndAccept(t *testing.T) {
	t.Parallel()
	b := newBroker(t)
	p := newProxy(t, b)
	client, far := connect(t, p, b)
	p.Refuse()
	p.Refuse()
	_, err := net.Dial("tcp", p.Addr())
	require.ErrorIs(t, err, syscall.ECONNREFUSED)
	send(t, client, "still open")
	expect(t, far, "still open")
	require.NoError(t, p.Accept())
	require.NoError(t, p.Accept())
	connect(t, p, b)
}

func TestDelayIsLatencyNotThroughput(t *testing.T) {
	t.Parallel()
	b := newBroker(t)
	p := newProxy(t, b)
	client, far := connect(t, p, b)
	const delay = 100 * time.Millisecond
	p.SetDelay(ToBroker, delay)
	start := time.Now()
	for range 10 {
		send(t, client, "x")
	}
	expect(t, far, "xxxxxxxxxx")
	took := time.Since(start)
	require.GreaterOrEqual(t, took, delay)
	require.Less(t, took, 5*delay, "the delays added up")
}

func TestTargetDown(t *testing.T) {
	t.Parallel()
	b := newBroker(t)
	p := newProxy(t, b)
	require.NoError(t, b.Close())
	c, err := net.Dial("tcp", p.Addr())
	if err == nil { // the reset may arrive before or after the dial returns
		defer c.Close()
		_, err = c.Read(make([]byte, 1))
	}
	require.ErrorIs(t, err, syscall.ECONNRESET)
}

func TestClose(t *testing.T) {
	t.Parallel()
	b := newBroker(t)
	p := newProxy(t, b)
	client, far := connect(t, p, b)
	dark, _ := connect(t, p, b)
	p.Cut(FIN) // the peers do not close in return
	client2, far2 := connect(t, p, b)
	p.DropBroker(RST)
	planned := p.CutAfter(ToBroker, 1000, RST)
	require.NoError(t, p.Close())
	require.NoError(t, p.Close())
	<-planned
	require.Zero(t, p.Stats().Open)
	for _, c := range []*net.TCPConn{client2, far2} {
		_, err := io.Copy(io.Discard, c)
		require.Error(t, err)
	}
	for _, c := range []*net.TCPConn{client, far, dark} {
		_, _ = io.Copy(io.Discard, c) // EOF or a reset, whichever comes first
	}
	require.Error(t, p.Accept())
	<-p.CutAfter(ToBroker, 1, RST)
	_, err := net.Dial("tcp", p.Addr())
	require.ErrorIs(t, err, syscall.ECONNREFUSED)
}

// TestEverythingAtOnce is for the race detector. It also shows that no order of calls
// leaks a goroutine or blocks Close.
func TestEverythingAtOnce(t *testing.T) {
	t.Parallel()
	b := newBroker(t)
	p := newProxy(t, b)
	faults := []func(){
		func() { p.Cut(RST) }, func() { p.Cut(FIN) },
		func() { p.CutAfter(ToBroker, 1500, RST) }, func() { p.CutAfter(ToClient, 10, FIN) },
		func() { p.Stall(ToBroker) }, func() { p.Resume(ToBroker) },
		func() { p.DropClients(RST) }, func() { p.DropBroker(FIN) },
		p.Refuse, func() { _ = p.Accept() },
		func() { p.SetDelay(ToClient, time.Millisecond) }, func() { p.SetDelay(ToClient, 0) },
		func() { p.Stats() },
	}
	var clients, echoes sync.WaitGroup
	stop := make(chan struct{})
	echoes.Go(func() {
		for {
			select {
			case c := <-b.conns:
				echoes.Go(func() {
					_, _ = io.Copy(c, c)
					_ = c.Close()
				})
			case <-stop:
				return
			}
		}
	})
	for range 4 {
		clients.Go(func() {
			for range 50 {
				c, err := net.Dial("tcp", p.Addr())
				if err != nil {
					_ = p.Accept()
					continue
				}
				_ = c.SetDeadline(time.Now().Add(10 * time.Millisecond))
				_, _ = c.Write(make([]byte, 1000))
				_, _ = io.ReadFull(c, make([]byte, 1000))
				faults[rand.IntN(len(faults))]()
				_ = c.Close()
			}
		})
	}
	clients.Wait()
	require.NoError(t, p.Close())
	close(stop)
	require.NoError(t, b.Close())
	echoes.Wait()
	for len(b.conns) > 0 {
		_ = (<-b.conns).Close()
	}
}
