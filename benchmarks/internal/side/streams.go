package side

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"

	"github.com/bbebcec1/amqprpc-go/benchmarks/internal/contender"
)

// Take takes the messages of streams for a duration.
type Take struct {
	Streams  int           `json:"streams"`
	Duration time.Duration `json:"duration"`
	// Background goes on until the command Rest. It measures nothing.
	Background bool `json:"background"`

	Items     int64   `json:"items"`
	PerSecond float64 `json:"perSecond"` // of all streams together
}

// Open opens one stream after the other, each of one message.
type Open struct {
	Duration time.Duration `json:"duration"`
	Pause    time.Duration `json:"pause"` // after each

	First Result `json:"first"` // until the message
	Whole Result `json:"whole"` // until the stream's end
}

// Talk sends one message after the other on one stream, and waits for the echo of each.
type Talk struct {
	Duration time.Duration `json:"duration"`
	Pause    time.Duration `json:"pause"` // after each

	Result Result `json:"result"`
}

// Quit begins streams, or calls, and gives each up after Warm. The server's command Ends says
// when the handlers ended.
type Quit struct {
	Call  bool          `json:"call"`
	Count int           `json:"count"`
	Warm  time.Duration `json:"warm"`

	At map[int]time.Time `json:"at"`
}

// Ends returns when handlers of the server ended, since the last such command.
type Ends struct {
	At map[int]time.Time `json:"at"`
}

// Stand begins a stream without end, takes one message, and takes no other until the command
// Rest. With Reads it takes all that come.
type Stand struct {
	ID    int  `json:"id"`
	Reads bool `json:"reads"`
}

// Keep opens streams on which nothing happens. They last until the command Rest.
type Keep struct {
	Streams int `json:"streams"`
}

// Count takes N numbered messages of one stream.
type Count struct {
	N int `json:"n"`

	Wrong   int           `json:"wrong"` // lost, doubled or out of order
	Elapsed time.Duration `json:"elapsed"`
}

// Cut cuts all connections again and again until the command Rest. The process must have
// streams.
type Cut struct {
	Every time.Duration `json:"every"`
}

// Orphan opens a stream. Lost returns when it has failed.
type Orphan struct{}

// Lost waits until the stream of Orphan has failed.
type Lost struct {
	At    time.Time `json:"at"`
	Error string    `json:"error"`
	More  int       `json:"more"` // goroutines than before the stream
}

// Broadcast calls all instances, one time after the other.
type Broadcast struct {
	Count int `json:"count"`

	Answers int           `json:"answers"` // in the worst case
	Last    time.Duration `json:"last"`    // until the last answer, the median
	Whole   time.Duration `json:"whole"`   // until the range ended, the median
}

// Rest ends what goes on in the background.
type Rest struct {
	Cuts int `json:"cuts"`
}

// background is what goes on beside the commands.
type background struct {
	cancel context.CancelFunc
	tasks  sync.WaitGroup
	mu     sync.Mutex
	err    error
	cuts   int

	before int // goroutines
	lost   chan Lost
}

// begin begins something that ends with ctx.
func (b *background) begin(f func(ctx context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	stop := b.cancel
	b.cancel = func() {
		if stop != nil {
			stop()
		}
		cancel()
	}
	b.tasks.Go(func() {
		if err := f(ctx); err != nil && ctx.Err() == nil {
			b.mu.Lock()
			b.err = errors.Join(b.err, err)
			b.mu.Unlock()
		}
	})
}

func (r *Rest) run(b *background) error {
	if b.cancel != nil {
		b.cancel()
	}
	b.tasks.Wait()
	err := b.err
	r.Cuts = b.cuts
	b.cancel, b.err, b.cuts = nil, nil, 0
	return err
}

func (t *Take) run(client contender.Client, b *background) error {
	s, ok := client.(contender.Streamer)
	if !ok {
		return errors.New("this contender has no streams")
	}
	if t.Background {
		for range t.Streams {
			b.begin(func(ctx context.Context) error {
				_, err := s.Take(ctx, time.Hour)
				return err
			})
		}
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), t.Duration+time.Minute)
	defer cancel()
	var mu sync.Mutex
	var all sync.WaitGroup
	var failed error
	for range t.Streams {
		all.Go(func() {
			f, err := s.Take(ctx, t.Duration)
			mu.Lock()
			defer mu.Unlock()
			failed = errors.Join(failed, err)
			t.Items += f.Items
			if f.Took > 0 {
				t.PerSecond += float64(f.Items) / f.Took.Seconds()
			}
		})
	}
	all.Wait()
	return failed
}

func (o *Open) run(s *contender.Streams) error {
	first, whole := newLatencies(), newLatencies()
	n := 0
	for end := time.Now().Add(o.Duration); n == 0 || time.Now().Before(end); n++ {
		f, w, err := s.Open(context.Background())
		if err != nil {
			return err
		}
		first.record(0, f)
		whole.record(0, w)
		time.Sleep(o.Pause)
	}
	o.First.Calls, o.Whole.Calls = n, n
	first.into(&o.First)
	whole.into(&o.Whole)
	return nil
}

func (t *Talk) run(s *contender.Streams) error {
	turn, stop, err := s.Talk(context.Background())
	if err != nil {
		return err
	}
	defer stop()
	lat := newLatencies()
	for end := time.Now().Add(t.Duration); t.Result.Calls == 0 || time.Now().Before(end); t.Result.Calls++ {
		began := time.Now()
		if err := turn(); err != nil {
			return err
		}
		lat.record(0, time.Since(began))
		time.Sleep(t.Pause)
	}
	lat.into(&t.Result)
	return nil
}

func (q *Quit) run(s *contender.Streams) error {
	q.At = make(map[int]time.Time)
	quit := s.Break
	if q.Call {
		quit = s.Cancel
	}
	for id := 1; id <= q.Count; id++ {
		at, err := quit(context.Background(), id, q.Warm)
		if err != nil {
			return err
		}
		q.At[id] = at
	}
	return nil
}

func (c *Count) run(s *contender.Streams) (err error) {
	began := time.Now()
	c.Wrong, err = s.Count(context.Background(), c.N)
	c.Elapsed = time.Since(began)
	return err
}

func (st *Stand) run(s *contender.Streams, b *background) error {
	taken := make(chan struct{})
	b.begin(func(ctx context.Context) error {
		return s.Stand(ctx, st.ID, st.Reads, func() { close(taken) })
	})
	return within(taken)
}

func (k *Keep) run(s *contender.Streams, b *background) error {
	opened := make(chan struct{})
	b.begin(func(ctx context.Context) error {
		err := s.Hold(ctx, k.Streams)
		close(opened)
		return err
	})
	return within(opened)
}

func (c *Cut) run(d contender.Dropper, b *background) {
	b.begin(func(ctx context.Context) error {
		tick := time.NewTicker(c.Every)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				d.Drop()
				b.cuts++
			case <-ctx.Done():
				return nil
			}
		}
	})
}

func (o *Orphan) run(s *contender.Streams, b *background) error {
	// One stream before: what runs for all streams is not left of one.
	if _, _, err := s.Open(context.Background()); err != nil {
		return err
	}
	time.Sleep(Ended)
	opened := make(chan struct{})
	b.before, b.lost = runtime.NumGoroutine(), make(chan Lost, 1)
	b.begin(func(ctx context.Context) error {
		err := s.Until(ctx, func() { close(opened) })
		b.lost <- Lost{At: time.Now(), Error: fmt.Sprint(err)}
		return nil
	})
	return within(opened)
}

func (l *Lost) run(b *background) error {
	select {
	case *l = <-b.lost:
	case <-time.After(lostLimit):
		return fmt.Errorf("a stream whose server was killed lives after %v", lostLimit)
	}
	time.Sleep(Ended)
	l.More = runtime.NumGoroutine() - b.before
	return nil
}

// Ended is after how long nothing runs any more for streams that are over.
const Ended = 2 * time.Second

// lostLimit is more than a stream outlives its other side.
const lostLimit = 90 * time.Second

func (br *Broadcast) run(client contender.Client) error {
	c, ok := client.(interface {
		All(ctx context.Context) (n int, last, whole time.Duration)
	})
	if !ok {
		return errors.New("this contender makes no broadcasts")
	}
	last, whole := newLatencies(), newLatencies()
	for i := range br.Count {
		n, l, w := c.All(context.Background())
		if i == 0 || n < br.Answers {
			br.Answers = n
		}
		last.record(0, l)
		whole.record(0, w)
	}
	var r Result
	last.into(&r)
	br.Last = r.P50
	whole.into(&r)
	br.Whole = r.P50
	return nil
}

func within(done <-chan struct{}) error {
	select {
	case <-done:
		return nil
	case <-time.After(startLimit):
		return fmt.Errorf("nothing has come of a stream for %v", startLimit)
	}
}
