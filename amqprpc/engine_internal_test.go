package amqprpc

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/frame"
)

func TestWindow(t *testing.T) {
	t.Parallel()
	var w window
	r := rand.New(rand.NewPCG(7, 7))
	at := map[uint64]*attempt{}
	next := uint64(1)
	for range 20_000 {
		if r.IntN(2) == 0 {
			a := &attempt{n: int(next)}
			w.add([]*attempt{a})
			at[next] = a
			next++
			continue
		}
		for tag, a := range at { // in any order
			require.Same(t, a, w.take(tag))
			require.Nil(t, w.take(tag), "taken once")
			delete(at, tag)
			break
		}
	}
	require.Nil(t, w.take(0))
	require.Nil(t, w.take(next))
	w.add([]*attempt{{}, {}})
	w.undo(2)
	a := &attempt{}
	w.add([]*attempt{a})
	require.Same(t, a, w.take(next))
	for tag, a := range at {
		require.Same(t, a, w.take(tag))
	}
	require.Equal(t, w.head, len(w.ring))
}

func TestCorrelationID(t *testing.T) {
	t.Parallel()
	const prefix = "abc-"
	for _, number := range []uint64{0, 1, 35, 36, 1 << 40, 1<<64 - 1} {
		for _, n := range []int{1, 2, 9, 1000} {
			id := correlationID(prefix, number, n)
			gotNumber, gotN, ok := parseCorrelationID(prefix, []byte(id))
			require.True(t, ok, id)
			require.Equal(t, number, gotNumber)
			require.Equal(t, n, gotN)
		}
	}
	for _, id := range []string{"", "abc-", "abd-1", "abc-!", "abc-1.", "abc-1.x", "abc-1.1", "abc-1.-2", "abc-1.0", strings.Repeat("abc-z", 50)} {
		_, _, ok := parseCorrelationID(prefix, []byte(id))
		require.False(t, ok, id)
	}
}

func FuzzParseCorrelationID(f *testing.F) {
	f.Add("abc-1")
	f.Add("abc-zz.7")
	f.Fuzz(func(t *testing.T, id string) {
		number, n, ok := parseCorrelationID("abc-", []byte(id))
		if !ok {
			return
		}
		again, m, ok := parseCorrelationID("abc-", []byte(correlationID("abc-", number, n)))
		if !ok || again != number || m != n {
			t.Fatalf("%q: %d.%d became %d.%d", id, number, n, again, m)
		}
	})
}

func FuzzWellFormedDirect(f *testing.F) {
	f.Add("amq.rabbitmq.reply-to.g2dkAA.AAAA")
	f.Fuzz(func(t *testing.T, s string) {
		if wellFormedDirect(s) && len(s) > 23+4*((5+65535+12)/3+1)+1+24 {
			t.Fatalf("%d bytes are no address", len(s))
		}
	})
}

func TestWellFormedDirect(t *testing.T) {
	t.Parallel()
	address := func(pid, key []byte) string {
		return directReplyTo + "." + base64.StdEncoding.EncodeToString(pid) + "." + base64.StdEncoding.EncodeToString(key)
	}
	node := "reply@123456"
	newPID := append(append([]byte{131, 88, 119, byte(len(node))}, node...), make([]byte, 12)...)
	oldPID := append(append([]byte{131, 103, 100, 0, byte(len(node))}, node...), make([]byte, 9)...)
	key := make([]byte, 16)
	require.True(t, wellFormedDirect(address(newPID, key)))
	require.True(t, wellFormedDirect(address(oldPID, key)))
	for _, bad := range []string{
		address(newPID, key[1:]), address(newPID[1:], key), address(newPID[:len(newPID)-1], key), address(append(slices.Clone(newPID), 0), key),
		address(nil, key), address(oldPID[:4], key), address([]byte{131, 88, 1, 2, 3}, key), address([]byte{131, 97, 1, 2, 3}, key),
		directReplyTo + ".", directReplyTo + "..", directReplyTo + "x", address(newPID, key) + ".more",
	} {
		require.False(t, wellFormedDirect(bad), bad)
	}
}

func TestRequestDeadline(t *testing.T) {
	t.Parallel()
	now := time.Now()
	at := func(d time.Duration) int64 { return now.Add(d).UnixMilli() }
	const skew = time.Second
	for name, c := range map[string]struct {
		expiration string
		header     any
		want       time.Duration // from now; 0 is none
	}{
		"none":                  {"", nil, 0},
		"expiration":            {"5000", nil, 5 * time.Second},
		"expiration first":      {"5000", at(10 * time.Second), 5 * time.Second},
		"header first":          {"50000", at(10 * time.Second), 11 * time.Second},
		"past":                  {"60000", at(-10 * time.Second), -9 * time.Second},
		"expiration of nothing": {"0", nil, 0},
		"expiration absurd":     {"99999999999999999999", nil, 0},
		"expiration too large":  {"999999999999999", nil, 0},
		"expiration negative":   {"-1", nil, 0},
		"expiration of words":   {"soon", nil, 0},
	} {
		d := &amqp.Delivery{Expiration: c.expiration}
		if c.header != nil {
			d.Headers = amqp.Table{headerDeadline: c.header}
		}
		got, err := requestDeadline(&inbound{d: *d, arrived: now, expires: expiration(d.Expiration)}, skew)
		require.NoError(t, err, name)
		switch {
		case name == "expiration of nothing":
			require.WithinDuration(t, now, got, time.Millisecond)
		case c.want == 0:
			require.True(t, got.IsZero(), name)
		default:
			require.WithinDuration(t, now.Add(c.want), got, 5*time.Millisecond, name)
		}
	}
	_, err := requestDeadline(&inbound{d: amqp.Delivery{Headers: amqp.Table{headerDeadline: 1.5}}, arrived: now, expires: -1}, skew)
	require.ErrorIs(t, err, CodeInvalidArgument)
}

func TestDeadlineIntoMessage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for d, want := range map[time.Duration]string{
			time.Second: "1000", 1500 * time.Microsecond: "2", time.Microsecond: "1", -time.Second: "1",
		} {
			p := amqp.Publishing{Headers: amqp.Table{}}
			deadline{time.Now().Add(d)}.into(&p, &expiryCache{})
			require.Equal(t, want, p.Expiration, d)
			require.Equal(t, time.Now().Add(d).UnixMilli(), p.Headers[headerDeadline])
		}
		p := amqp.Publishing{Headers: amqp.Table{}}
		deadline{}.into(&p, &expiryCache{})
		require.Empty(t, p.Expiration)
		require.Empty(t, p.Headers)
	})
}

func TestBackoff(t *testing.T) {
	t.Parallel()
	var b backoff
	span := backoffFirst
	for range 100 {
		d := b.next()
		require.GreaterOrEqual(t, d, span/2)
		require.LessOrEqual(t, d, span)
		span = min(span*2, backoffMost)
	}
	b.reset()
	require.LessOrEqual(t, b.next(), backoffFirst)
}

// The driver writes its frames, in pieces, while others write theirs between them:
// every frame arrives whole, each writer's in order.
func TestSockGathersWithoutLoss(t *testing.T) {
	t.Parallel()
	a, b := tcpPair(t)
	s := newSock(a, a, patienceSock)
	const writers, frames = 8, 300
	payload := func(w, i int) []byte {
		return []byte(fmt.Sprintf("%d %d %s", w, i, strings.Repeat("x", (i*7919)%40_000)))
	}
	_, err := s.Write([]byte(frame.ProtocolHeader))
	require.NoError(t, err)
	var wg sync.WaitGroup
	wg.Go(func() { // the driver, channel 0
		r := rand.New(rand.NewPCG(1, 2))
		for i := range frames {
			typ := frame.TypeBody
			if i%2 == 0 {
				typ = frame.TypeMethod
			}
			p := frame.AppendFrame(nil, typ, 0, payload(0, i))
			for len(p) > 0 {
				n := min(1+r.IntN(4096), len(p))
				if _, err := s.Write(p[:n]); err != nil {
					t.Error(err)
				}
				p = p[n:]
			}
		}
	})
	for w := 1; w < writers; w++ {
		wg.Go(func() {
			tap := &tap{channel: uint16(w)}
			for i := range frames {
				if err := s.writeFrames(tap, frame.AppendFrame(nil, frame.TypeBody, uint16(w), payload(w, i))); err != nil {
					t.Error(err)
				}
			}
		})
	}
	go func() { wg.Wait(); a.Close() }()
	var greeting [8]byte
	_, err = io.ReadFull(b, greeting[:])
	require.NoError(t, err)
	r := frame.NewReader(b, sockFrameMax)
	var next [writers]int
	for {
		f, err := r.Next()
		if err == io.EOF {
			break
		}
		require.NoError(t, err)
		require.Equal(t, string(payload(int(f.Channel), next[f.Channel])), string(f.Payload))
		next[f.Channel]++
	}
	for _, n := range next {
		require.Equal(t, frames, n)
	}
}

const patienceSock = 20 * time.Second

func tcpPair(t *testing.T) (net.Conn, net.Conn) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	accepted := make(chan net.Conn, 1)
	go func() { c, _ := l.Accept(); accepted <- c }()
	a, err := net.Dial("tcp", l.Addr().String())
	require.NoError(t, err)
	b := <-accepted
	t.Cleanup(func() { a.Close(); b.Close() })
	return a, b
}

// A message that takes longer than the timeout is no stalled write as long as some
// of it gets through.
func TestSockWritesSlowly(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, b := net.Pipe()
		defer a.Close()
		s := newSock(a, a, 10*time.Second)
		const size = 4 << 20
		read := make(chan int, 1)
		go func() {
			n, piece := 0, make([]byte, 16<<10)
			for n < size {
				time.Sleep(time.Second / 4) // 64 KiB a second
				m, err := b.Read(piece)
				n += m
				if err != nil {
					break
				}
			}
			read <- n
		}()
		start := time.Now()
		require.NoError(t, s.writeFrames(&tap{channel: 1}, make([]byte, size)))
		require.Equal(t, size, <-read)
		require.Greater(t, time.Since(start), time.Minute)
		b.Close()
	})
}

// Where the socket is always full, nobody who has written waits for the others
// for ever, and no long message for a gap among the short ones.
func TestSockIsFairWhenFull(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, b := net.Pipe()
		defer a.Close()
		s := newSock(a, a, 10*time.Second)
		var wg sync.WaitGroup
		wg.Go(func() {
			piece := make([]byte, 16<<10)
			for {
				time.Sleep(time.Second / 16)
				if _, err := b.Read(piece); err != nil {
					return
				}
			}
		})
		const writers, long = 4, 0 // the first writes more than the buffer holds
		var wrote [writers]int
		for w := range writers {
			wg.Go(func() {
				frames := make([]byte, 8<<10)
				if w == long {
					frames = make([]byte, 2*sockBuffer)
				}
				for s.writeFrames(&tap{channel: uint16(w)}, frames) == nil {
					wrote[w]++
				}
			})
		}
		time.Sleep(2 * time.Minute)
		b.Close()
		wg.Wait()
		for w, n := range wrote {
			require.Greater(t, n, 10, "writer %d of %v", w, wrote)
		}
	})
}

// Nothing is written once the socket has failed, and it is said so: the caller may
// send it on the next connection.
func TestSockAfterItsEnd(t *testing.T) {
	t.Parallel()
	a, b := net.Pipe()
	b.Close()
	s := newSock(a, a, time.Second)
	err := s.writeFrames(&tap{channel: 1}, []byte("x"))
	require.Error(t, err)
	require.NotErrorIs(t, err, amqp.ErrClosed, "of this nobody knows")
	require.ErrorIs(t, s.writeFrames(&tap{channel: 1}, []byte("x")), amqp.ErrClosed)
}

// A peer that reads nothing ends the connection after the write timeout, and
// every writer with it.
func TestSockBoundsAStalledWrite(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, b := net.Pipe()
		defer b.Close()
		s := newSock(a, a, 10*time.Second)
		start := time.Now()
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for {
					if _, err := s.Write(make([]byte, 30<<10)); err != nil {
						return
					}
				}
			})
		}
		wg.Wait()
		require.Equal(t, 10*time.Second, time.Since(start))
		_, err := s.Write([]byte("x"))
		require.Error(t, err)
	})
}

func TestHeaderCheck(t *testing.T) {
	t.Parallel()
	require.NoError(t, Header(nil).check())
	require.NoError(t, Header{"a": strings.Repeat("x", maxHeaderBytes-1)}.check())
	require.NoError(t, Header{strings.Repeat("x", 255): "", "cc": "lower case is the user's"}.check())
	for name, h := range map[string]Header{
		"size": {"a": strings.Repeat("x", maxHeaderBytes)}, "long": {strings.Repeat("x", 256): ""}, "empty": {"": "x"},
		"rpc": {"rpc-anything": ""}, "CC": {"CC": "q"}, "BCC": {"BCC": "q"},
	} {
		require.Error(t, h.check(), name)
	}
}

func TestEnvelopeWithin(t *testing.T) {
	t.Parallel()
	e := Errorf(CodeAborted, "%s", strings.Repeat("\x01<é", 1000)).WithDetail("d", strings.Repeat("x", 1000))
	for _, limit := range []int{100, 500, 2000, 5000, 100_000} {
		body := envelopeWithin(e, limit)
		require.LessOrEqual(t, len(body), limit)
		var back Error
		require.NoError(t, back.UnmarshalJSON(body))
		require.Equal(t, CodeAborted, back.code)
	}
}

// What asking again does not change is final; a queue whose node is down comes back.
func TestPermanentCode(t *testing.T) {
	t.Parallel()
	refusal := func(code int) error {
		return fmt.Errorf("declare: %w", &amqp.Error{Code: code, Server: true})
	}
	for _, code := range []int{amqp.AccessRefused, amqp.ResourceLocked, amqp.PreconditionFailed, amqp.NotAllowed} {
		require.True(t, isPermanent(permanentCode(refusal(code), false)), code)
	}
	require.True(t, isPermanent(permanentCode(refusal(amqp.NotFound), true)), "a passive declaration")
	require.False(t, isPermanent(permanentCode(refusal(amqp.NotFound), false)))
	require.False(t, isPermanent(permanentCode(refusal(amqp.ConnectionForced), false)))
}

// The driver says in two ways at once that the probe's channel was closed.
func TestProbeThatIsRefused(t *testing.T) {
	t.Parallel()
	for range 100 {
		returns, closed := make(chan amqp.Return, 1), make(chan *amqp.Error, 1)
		closed <- &amqp.Error{Code: amqp.AccessRefused, Server: true}
		close(returns)
		close(closed)
		returned, err := probed(context.Background(), returns, closed)
		require.False(t, returned)
		require.ErrorContains(t, err, "grant it write on amq.default")
		require.True(t, isPermanent(err))
	}
	lost := make(chan *amqp.Error)
	close(lost)
	_, err := probed(context.Background(), make(chan amqp.Return), lost)
	require.ErrorContains(t, err, "the connection was lost")
	require.False(t, isPermanent(err))
}
