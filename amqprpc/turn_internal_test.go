package amqprpc

import (
	"net"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"
)

func TestTurn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		taken := make(chan uint64, 1)
		var tn turn
		tn.init(func(now uint64) bool { taken <- now; return true }, nil)
		now := uint64(0)

		for range 1000 { // as long as it is given back in time
			tn.lend(now, time.Now())
			time.Sleep(turnLong - time.Microsecond)
			require.True(t, tn.reclaim(&now))
		}
		require.Empty(t, taken)

		mine := now
		tn.lend(mine, time.Now())
		start := time.Now()
		now = <-taken
		require.GreaterOrEqual(t, time.Since(start), turnLong)
		require.LessOrEqual(t, time.Since(start), turnPatience+turnLong)
		require.False(t, tn.reclaim(&mine))

		// Where that has just happened the next one is not let wait for as long.
		for range 3 {
			mine = now
			tn.lend(mine, time.Now())
			start = time.Now()
			now = <-taken
			require.LessOrEqual(t, time.Since(start), turnHaste+turnLong)
			require.False(t, tn.reclaim(&mine))
		}

		tn.lend(now, time.Now())
		require.True(t, tn.reclaim(&now))
		time.Sleep(2 * turnPatience)
		require.False(t, tn.watching.Load(), "nothing ticks where nothing is done")
		time.Sleep(hasteLasts)
		tn.lend(now, time.Now())
		start = time.Now()
		<-taken
		require.Equal(t, turnPatience, time.Since(start))
	})
}

// Whoever gets the turn is in haste already; and is not any more where there is no reason.
func TestTurnIsTakenInHaste(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var tn turn
		again, hasty := false, make(chan bool, 1)
		tn.init(func(uint64) bool {
			hasty <- tn.hasty.Load() > int64(time.Since(tn.epoch))
			return again
		}, nil)
		now := uint64(0)
		for _, again = range []bool{false, true} {
			tn.lend(now, time.Now())
			require.True(t, <-hasty)
			synctest.Wait()
			require.Equal(t, again, tn.hasty.Load() > int64(time.Since(tn.epoch)))
			now += 2
		}
		tn.timer.Stop()
	})
}

// Whatever races with the last tick, or with the bell, what is lent is watched.
func TestTurnIsWatched(t *testing.T) {
	t.Parallel()
	for name, bells := range map[string]func(func()) *bell{"Ticks": nil, "Bell": newBell} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			taken := make(chan uint64, 1)
			var tn turn
			tn.init(func(now uint64) bool { taken <- now; return true }, bells)
			defer tn.end()
			now := uint64(0)
			for range 20 {
				for range 1000 { // about when the timer fires
					tn.lend(now, time.Now())
					if !tn.reclaim(&now) {
						now = <-taken // the machine was busy
					}
					tn.idle()
					runtime.Gosched()
				}
				tn.lend(now, time.Now())
				now = <-taken
			}
		})
	}
}

// testJob is a job whose run, settle and abandoned are as the test wants them.
type testJob struct {
	do   func()
	told func(what string)
}

func (j *testJob) run(time.Time) settler { j.do(); return j }
func (j *testJob) settle()               { j.told("settled") }
func (j *testJob) prolonged()            { j.told("prolonged") }
func (j *testJob) abandoned()            { j.told("abandoned") }

// A job that takes long, or that ends its goroutine, keeps nothing from being read, for
// the taps or for the driver; what quick ones have left is settled when there is nothing
// more to read.
func TestJobs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var got []string
		note := func(what string) { mu.Lock(); defer mu.Unlock(); got = append(got, what) }
		noted := func() []string {
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			all := got
			got = nil
			return all
		}
		release := make(chan struct{})
		peer, send, ended := readJobs(t, func(body string) *testJob {
			note(body)
			return &testJob{told: func(what string) { note(what + " " + body) }, do: func() {
				switch body {
				case "slow":
					<-release
				case "exits":
					runtime.Goexit()
				}
				note("did " + body)
			}}
		})
		send(nil, "1", "2")
		require.Equal(t, []string{"1", "did 1", "2", "did 2", "settled 2", "settled 1"}, noted())
		send(nil, "3", "slow", "4")
		require.Equal(t, []string{"3", "did 3", "slow"}, noted())
		time.Sleep(turnPatience)
		require.Equal(t, []string{"prolonged slow", "4", "did 4", "settled 4", "settled 3"}, noted())
		close(release)
		require.Equal(t, []string{"did slow", "abandoned slow"}, noted())
		send(nil, "5", "exits", "6")
		require.Equal(t, []string{"5", "did 5", "exits", "abandoned exits", "6", "did 6", "settled 6", "settled 5"}, noted())

		var many, want []string
		for i := range writeBatch + 1 {
			many = append(many, strconv.Itoa(i))
		}
		send(nil, many...)
		for i, body := range many {
			want = append(want, body, "did "+body)
			if i+1 == writeBatch {
				for k := i; k >= 0; k-- {
					want = append(want, "settled "+many[k])
				}
			}
		}
		require.Equal(t, append(want, "settled "+many[writeBatch]), noted(), "nothing is kept back for long")

		peer.Close()
		require.Error(t, <-ended)
		time.Sleep(2 * turnPatience) // the last tick
	})
}

// Where it takes long to settle, another goroutine reads on, and settles what is left;
// and what follows on a bad frame is not what went before it.
func TestJobsThatSettleSlowly(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		release, settled := make(chan struct{}), make(chan string, 10)
		peer, send, ended := readJobs(t, func(body string) *testJob {
			return &testJob{do: func() {}, told: func(what string) {
				if body == "slow" && what == "settled" {
					<-release
				}
				if what == "settled" {
					settled <- body
				}
			}}
		})
		send(nil, "1", "2", "slow") // which is settled first
		require.Equal(t, "2", <-settled)
		require.Equal(t, "1", <-settled)
		close(release)
		require.Equal(t, "slow", <-settled)

		send([]byte{8, 0, 0, 0xff, 0xff, 0xff, 0xff, 0}, "last")
		require.Equal(t, "last", <-settled)
		require.Error(t, <-ended)
		peer.Close()
		time.Sleep(2 * turnPatience)
	})
}

// readJobs reads a connection on which a message of channel 5 leaves a job. send writes
// messages with these bodies, and then more; ended receives the error that the driver gets.
func readJobs(t *testing.T, jobOf func(body string) *testJob) (peer net.Conn, send func(more []byte, bodies ...string), ended <-chan error) {
	a, b := net.Pipe()
	s := newSock(a, a, time.Second)
	tap := &tap{channel: 5}
	tap.deliver = func(m *content) { tap.job = jobOf(string(m.body)) }
	s.add(tap)
	go s.read(0)
	end := make(chan error, 1)
	go func() {
		buf := make([]byte, 100)
		for {
			if _, err := s.Read(buf); err != nil {
				end <- err
				return
			}
		}
	}()
	send = func(more []byte, bodies ...string) {
		var all []byte
		for _, body := range bodies {
			all = append(all, message(t, 5, &amqp.Publishing{Body: []byte(body)})...)
		}
		b.Write(append(all, more...))
	}
	return b, send, end
}

// However quick jobs are, they do not get all of the time.
func TestShare(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := share{since: time.Now()}
		work := func(d time.Duration) {
			began := time.Now()
			time.Sleep(d)
			s.took(began)
		}
		require.True(t, s.left())
		work(shareMost - time.Microsecond)
		require.True(t, s.left())
		work(time.Microsecond)
		require.False(t, s.left())
		time.Sleep(shareWindow)
		require.True(t, s.left(), "a new window")
		for range 100 { // half of the time is theirs
			work(shareWindow / 20)
			require.True(t, s.left())
			time.Sleep(shareWindow / 20)
		}
	})
}

func TestPace(t *testing.T) {
	t.Parallel()
	var p pace
	p.init()
	for n := 0; !p.quick(); n++ {
		require.Less(t, n, 300, "a queue whose handlers are quick is seen to be one")
		p.took(time.Microsecond)
	}
	for range 2 * paceMemory {
		p.took(time.Microsecond)
	}
	p.took(2 * inlineQuick)
	p.took(2 * inlineSlow)
	require.True(t, p.quick(), "a few alone may be the machine's mood")
	for range 3 {
		p.took(2 * inlineSlow)
	}
	require.False(t, p.quick(), "when more take long, that is theirs")
	for range 3 * paceMemory {
		p.took(time.Microsecond)
	}
	require.True(t, p.quick())
	for range 10 * paceMemory {
		p.took(time.Second)
	}
	require.LessOrEqual(t, p.slow.Load(), int32(paceOne))
	for range 200 { // one in twenty
		for range 19 {
			p.took(time.Microsecond)
		}
		p.took(time.Second)
		require.False(t, p.quick())
	}
}

func TestSlots(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var s slots
		s.init(2)
		require.True(t, s.tryTake())
		s.take()
		require.False(t, s.tryTake())
		waited := make(chan time.Duration, 1)
		start := time.Now()
		go func() { s.take(); waited <- time.Since(start) }()
		time.Sleep(time.Second)
		s.give()
		require.Equal(t, time.Second, <-waited)
		require.False(t, s.tryTake())
		s.give()
		require.True(t, s.tryTake())
	})
}
