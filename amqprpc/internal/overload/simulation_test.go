package overload_test

import (
	"math"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/overload"
)

// The simulated server is one of 16 handlers that take 10 ms each, as far as not said.
const (
	handlers = 16
	each     = 10 * time.Millisecond
	expires  = 250 * time.Millisecond
	tick     = 250 * time.Microsecond
	capacity = float64(handlers) * float64(time.Second) / float64(each) // requests a second
)

// caller sends requests to the simulated queue.
type caller struct {
	name   string // "" for a new name with each request
	rate   float64
	from   time.Duration                         // when it begins
	until  time.Duration                         // 0 for never
	ahead  func(now time.Duration) time.Duration // of the server's clock; nil for none
	forges bool                                  // its requests are not answered, and cost nothing else

	sent, inTime, late, refused, expired int
}

// simulation is a queue that is first in first out and drops what has expired, one
// server, and a broker that fills a free place within a millisecond or two.
type simulation struct {
	rand    *rand.Rand
	callers []*caller
	length  time.Duration
	blind   bool                                  // the server refuses nothing
	clock   func(now time.Duration) time.Duration // of the server, ahead of true time
	stalls  bool                                  // the broker pauses for 30 ms in each second
	from    time.Duration                         // what is sent before is not counted

	gauge          *overload.Gauge
	clocks         *overload.Clocks
	queue          []queued
	busy           []running
	credit, coming int // free places that the broker knows, and will know at the next tick
	names          int
}

type queued struct {
	from *caller
	sent time.Duration
	name string
	lie  time.Duration
}

type running struct {
	queued
	took, ends time.Duration
}

func (s *simulation) run() {
	begin := time.Now()
	s.gauge, s.clocks, s.credit = overload.NewGauge(handlers), new(overload.Clocks), handlers
	s.gauge.Consuming(begin)
	for now := time.Duration(0); now < s.length; now += tick {
		s.credit, s.coming = s.credit+s.coming, 0
		s.send(now)
		s.finish(now, begin.Add(now))
		for len(s.queue) > 0 && now-s.queue[0].sent >= expires {
			if s.queue[0].sent >= s.from {
				s.queue[0].from.expired++
			}
			s.queue = s.queue[1:]
		}
		if s.stalls && now%time.Second < 30*time.Millisecond {
			continue
		}
		for len(s.queue) > 0 && s.credit > 0 {
			q := s.queue[0]
			s.queue, s.credit = s.queue[1:], s.credit-1
			s.arrive(q, now, begin.Add(now))
		}
	}
}

func (s *simulation) send(now time.Duration) {
	for _, c := range s.callers {
		if now < c.from || c.until > 0 && now >= c.until {
			continue
		}
		for range s.poisson(c.rate * tick.Seconds()) {
			q := queued{from: c, sent: now, name: c.name}
			if q.name == "" {
				s.names++
				q.name = strconv.Itoa(s.names)
			}
			if c.ahead != nil {
				q.lie = c.ahead(now)
			}
			if now >= s.from {
				c.sent++
			}
			s.queue = append(s.queue, q)
		}
	}
}

func (s *simulation) finish(now time.Duration, at time.Time) {
	left := s.busy[:0]
	for _, r := range s.busy {
		if r.ends > now {
			left = append(left, r)
			continue
		}
		s.gauge.Took(r.took)
		s.coming++
		s.count(r.queued, now)
	}
	if len(left) < len(s.busy) {
		s.gauge.Load(len(left), at)
	}
	s.busy = left
}

func (s *simulation) arrive(q queued, now time.Duration, at time.Time) {
	load, calm, longest := len(s.busy)+1, s.gauge.Calm(at), s.gauge.Longest(at)
	s.gauge.Load(load, at)
	lag := now - q.sent - q.lie
	if s.clock != nil {
		lag += s.clock(now)
	}
	waited := s.clocks.Waited(overload.Arrival{Sender: overload.Sender{Address: q.name}, Lag: lag, Expires: expires, At: at, Calm: calm, Longest: longest})
	switch {
	case !s.blind && s.gauge.Hopeless(load, expires-waited, expires):
		if q.sent >= s.from {
			q.from.refused++
		}
	case !q.from.forges:
		took := each * time.Duration(50+s.rand.IntN(100)) / 100
		s.busy = append(s.busy, running{q, took, now + took})
		return
	}
	s.coming++
	s.gauge.Load(load-1, at)
}

func (s *simulation) count(q queued, now time.Duration) {
	switch {
	case q.sent < s.from:
	case now-q.sent <= expires:
		q.from.inTime++
	default:
		q.from.late++
	}
}

func (s *simulation) poisson(mean float64) int {
	n := 0
	for t := s.rand.ExpFloat64(); t < mean; t += s.rand.ExpFloat64() {
		n++
	}
	return n
}

func fixed(d time.Duration) func(time.Duration) time.Duration {
	return func(time.Duration) time.Duration { return d }
}

func step(when, by time.Duration) func(time.Duration) time.Duration {
	return func(now time.Duration) time.Duration {
		if now < when {
			return 0
		}
		return by
	}
}

// goodput is what is answered in time, as a part of what could be.
func (s *simulation) goodput() float64 {
	n := 0
	for _, c := range s.callers {
		n += c.inTime
	}
	return float64(n) / (capacity * (s.length - s.from).Seconds())
}

// twice returns a caller that offers rate, and before that, while the server is calm,
// a quarter of it.
func twice(name string, ahead time.Duration, rate float64) []*caller {
	return []*caller{
		{name: name, rate: rate / 4, until: 5 * time.Second, ahead: fixed(ahead)},
		{name: name, rate: rate, from: 5 * time.Second, ahead: fixed(ahead)},
	}
}

func many(n int) []*caller {
	callers := make([]*caller, n)
	for i := range callers {
		callers[i] = &caller{name: "m" + strconv.Itoa(i), rate: 2 * capacity / float64(n), from: time.Duration(i) * 10 * time.Millisecond,
			ahead: fixed(time.Duration(i-n/2) * time.Second)}
	}
	return callers
}

func TestGoodputUnderOverload(t *testing.T) {
	t.Parallel()
	const ms, s = time.Millisecond, time.Second
	for name, c := range map[string]struct {
		simulation
		least, most float64
	}{
		"a server that refuses nothing": {simulation: simulation{blind: true, callers: twice("a", 0, 2*capacity)}, most: 0.1},
		"one caller":                    {simulation: simulation{callers: twice("a", s, 2*capacity)}, least: 0.9, most: 1},
		"one more comes in the overload": {simulation: simulation{callers: append(twice("a", s, capacity),
			&caller{name: "b", rate: capacity, from: 10 * s, ahead: fixed(-700 * ms)})}, least: 0.9, most: 1},
		"all come in the overload":        {simulation: simulation{callers: many(60)}, least: 0.9, most: 1},
		"the broker pauses":               {simulation: simulation{stalls: true, callers: twice("a", s, 2*capacity)}, least: 0.4, most: 1},
		"nobody calls twice":              {simulation: simulation{callers: []*caller{{rate: 2 * capacity}}}, least: 0.03, most: 1}, // one request says little of its sender
		"nobody calls twice, no overload": {simulation: simulation{callers: []*caller{{rate: 0.8 * capacity}}}, least: 0.79, most: 0.82},
		"half of the capacity":            {simulation: simulation{callers: []*caller{{name: "a", rate: 0.5 * capacity}}}, least: 0.49, most: 0.51},
		"never calm, but no overload":     {simulation: simulation{callers: []*caller{{name: "a", rate: 0.9 * capacity}}}, least: 0.87, most: 0.92},
		"the server's clock is set 200 ms ahead": {simulation: simulation{clock: step(12*s, 200*ms), callers: twice("a", s, 2*capacity)},
			least: 0.9, most: 1},
		"the server's clock is set back by 200 ms, a period ago": {simulation: simulation{clock: step(6*s, -200*ms), from: 37 * s,
			callers: twice("a", s, 2*capacity)}, least: 0.9, most: 1},
		"the server's clock is set by an hour, and nothing is overloaded": {simulation: simulation{clock: step(17*s, time.Hour),
			callers: twice("a", s, 0.9*capacity)}, least: 0.87, most: 0.92},
		"the server's clock is set 200 ms ahead, and nothing is overloaded": {simulation: simulation{clock: step(17*s, 200*ms),
			callers: twice("a", s, 0.9*capacity)}, least: 0.87, most: 0.92},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sim := c.simulation
			sim.rand, sim.length = rand.New(rand.NewPCG(1, 2)), 45*s
			sim.from = max(sim.from, 15*s)
			sim.run()
			for _, c := range sim.callers[:min(3, len(sim.callers))] {
				t.Logf("%s: %d sent, %d in time, %d late, %d refused, %d expired", c.name, c.sent, c.inTime, c.late, c.refused, c.expired)
			}
			require.GreaterOrEqual(t, sim.goodput(), c.least)
			require.LessOrEqual(t, sim.goodput(), c.most)
			for _, c := range sim.callers {
				if c.name != "" && !sim.blind {
					require.GreaterOrEqual(t, float64(c.inTime), 0.05*float64(c.sent), "each caller gets a share")
				}
			}
		})
	}
}

// Requests with false clocks cost an honest caller no more than as many requests with
// a true one, whatever names they have.
func TestHostileSenders(t *testing.T) {
	t.Parallel()
	jumps := func(now time.Duration) time.Duration { return now * now % time.Hour }
	for load, rate := range map[string]float64{"calm": 0.2, "busy": 0.7, "overloaded": 1.5} {
		victim := func(forger caller) caller {
			victim := &caller{name: "victim", rate: rate * capacity, ahead: fixed(time.Second)}
			forger.forges, forger.rate = true, 500
			sim := simulation{rand: rand.New(rand.NewPCG(3, 4)), callers: []*caller{victim, &forger}, length: 10 * time.Second}
			sim.run()
			victim.ahead = nil
			return *victim
		}
		honest := victim(caller{name: "honest"})
		for name, forger := range map[string]caller{
			"almost 3 s ahead":        {name: "forger", ahead: fixed(2950 * time.Millisecond)},
			"behind":                  {name: "forger", ahead: fixed(-2950 * time.Millisecond)},
			"jumps":                   {name: "forger", ahead: jumps},
			"new names":               {ahead: fixed(2950 * time.Millisecond)},
			"new names, clocks jump":  {ahead: jumps},
			"the end of all integers": {name: "forger", ahead: fixed(math.MaxInt64)},
		} {
			t.Run(load+"/"+name, func(t *testing.T) {
				t.Parallel()
				require.Positive(t, honest.inTime)
				require.Equal(t, honest, victim(forger))
				if rate < 1 {
					require.Less(t, float64(honest.refused), 0.001*float64(honest.sent))
				}
			})
		}
	}
}
