package contender

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
)

// Flow is what came of one stream.
type Flow struct {
	Items int64
	Took  time.Duration
}

// Streamer is a client that takes streams of messages of Options.Payload bytes.
type Streamer interface {
	// Take takes the messages of one stream for as long as d, and returns how many came.
	Take(ctx context.Context, d time.Duration) (Flow, error)
}

// order is the request of a stream. The codec raw takes only bytes, so all requests are
// bytes.
type order struct {
	ID    int `json:"id"`    // of the stream whose end the server notes; 0 is none
	Size  int `json:"size"`  // of a message; with 0 a message is its number
	Count int `json:"count"` // of messages; 0 is without end
}

func (o order) encode() []byte {
	text, _ := json.Marshal(o) // it cannot fail
	return text
}

func (o Options) flood() amqprpc.ServerStream[[]byte, []byte] {
	return amqprpc.ServerStream[[]byte, []byte](o.Queue + ".flood")
}

func (o Options) echo() amqprpc.BidiStream[[]byte, []byte] {
	return amqprpc.BidiStream[[]byte, []byte](o.Queue + ".bidi")
}

// wait is a call that is answered when its ctx ends.
func (o Options) wait() amqprpc.Method[[]byte, []byte] {
	return amqprpc.Method[[]byte, []byte](o.Queue + ".wait")
}

// streamQueues returns the queues of the streams.
func (o Options) streamQueues() []string {
	if !o.Streams {
		return nil
	}
	return []string{string(o.flood()), string(o.echo()), string(o.wait())}
}

// Ends notes when handlers ended, by the ID in their requests.
type Ends struct {
	mu  sync.Mutex
	all map[int]time.Time
}

// note has the end of ctx noted.
func (e *Ends) note(ctx context.Context, id int) {
	if id == 0 {
		return
	}
	context.AfterFunc(ctx, func() {
		now := time.Now()
		e.mu.Lock()
		defer e.mu.Unlock()
		e.all[id] = now
	})
}

// Take returns the ends so far, and forgets them.
func (e *Ends) Take() map[int]time.Time {
	e.mu.Lock()
	defer e.mu.Unlock()
	all := e.all
	e.all = make(map[int]time.Time)
	return all
}

// registerStreams registers the handlers of streams.
func registerStreams(srv *amqprpc.Server, o Options, ends *Ends, opts []amqprpc.HandlerOption) {
	ends.all = make(map[int]time.Time)
	o.flood().Register(srv, func(ctx context.Context, req []byte, out *amqprpc.Sender[[]byte]) error {
		var want order
		if err := json.Unmarshal(req, &want); err != nil {
			return amqprpc.Errorf(amqprpc.CodeInvalidArgument, "%w", err)
		}
		ends.note(ctx, want.ID)
		message := make([]byte, want.Size)
		for i := 0; i < want.Count || want.Count == 0; i++ {
			if want.Size == 0 {
				message = binary.BigEndian.AppendUint64(nil, uint64(i))
			}
			if err := out.Send(message); err != nil {
				return err
			}
		}
		return nil
	}, opts...)
	o.echo().Register(srv, func(_ context.Context, in *amqprpc.Receiver[[]byte], out *amqprpc.Sender[[]byte]) error {
		for m, err := range in.All() {
			if err != nil {
				return err
			}
			if err = out.Send(m); err != nil {
				return err
			}
		}
		return nil
	}, append(opts, amqprpc.WithMaxStreams(1<<20))...)
	o.wait().Register(srv, func(ctx context.Context, req []byte) ([]byte, error) {
		var want order
		if err := json.Unmarshal(req, &want); err != nil {
			return nil, amqprpc.Errorf(amqprpc.CodeInvalidArgument, "%w", err)
		}
		ends.note(ctx, want.ID)
		<-ctx.Done()
		return nil, ctx.Err()
	}, opts...)
}

// Streams uses streams of the framework.
type Streams struct {
	client  *amqprpc.Client
	options Options
}

// Take implements [Streamer].
func (s *Streams) Take(ctx context.Context, d time.Duration) (f Flow, err error) {
	began := time.Now()
	for m, err := range s.options.flood().Call(ctx, s.client, order{Size: s.options.Payload}.encode()) {
		if err != nil {
			return f, err
		}
		if len(m) != s.options.Payload {
			return f, errWrongAnswer
		}
		if f.Items == 0 {
			began = time.Now()
		}
		f.Items++
		if f.Items%64 == 0 || len(m) > 1<<10 {
			if f.Took = time.Since(began); f.Took >= d {
				break
			}
		}
	}
	return f, nil
}

// Open opens a stream of one message, and returns how long the message took, and how long the
// stream took with its end.
func (s *Streams) Open(ctx context.Context) (first, whole time.Duration, err error) {
	began := time.Now()
	for _, err := range s.options.flood().Call(ctx, s.client, order{Count: 1}.encode()) {
		if err != nil {
			return 0, 0, err
		}
		first = time.Since(began)
	}
	return first, time.Since(began), nil
}

// Talk opens a stream of both sides. Each call of turn sends a message and takes its echo.
func (s *Streams) Talk(ctx context.Context) (turn func() error, end func(), err error) {
	talk, err := s.options.echo().Open(ctx, s.client)
	if err != nil {
		return nil, nil, err
	}
	message := make([]byte, 8)
	turn = func() error {
		if err := talk.Send(message); err != nil {
			return err
		}
		_, err := talk.Recv()
		return err
	}
	return turn, func() { talk.Close() }, nil
}

// Break takes messages for as long as warm, breaks the loop, and returns when.
func (s *Streams) Break(ctx context.Context, id int, warm time.Duration) (at time.Time, err error) {
	began := time.Now()
	for _, err := range s.options.flood().Call(ctx, s.client, order{ID: id, Size: s.options.Payload}.encode()) {
		if err != nil {
			return at, err
		}
		if at = time.Now(); at.Sub(began) >= warm {
			break
		}
	}
	return at, nil
}

// Cancel makes a call, cancels it after warm, and returns when.
func (s *Streams) Cancel(ctx context.Context, id int, warm time.Duration) (at time.Time, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	t := time.AfterFunc(warm, func() {
		at = time.Now()
		cancel()
	})
	defer t.Stop()
	if _, err = s.options.wait().Call(ctx, s.client, order{ID: id}.encode()); amqprpc.CodeOf(err) != amqprpc.CodeCanceled {
		return at, fmt.Errorf("a call that was cancelled returned: %w", err)
	}
	return at, nil
}

// Stand takes one message of a stream without end, calls taken, and takes no other until ctx
// ends. If it reads, it takes all that come.
func (s *Streams) Stand(ctx context.Context, id int, reads bool, taken func()) error {
	first := true
	for _, err := range s.options.flood().Call(ctx, s.client, order{ID: id, Size: s.options.Payload}.encode()) {
		if err != nil {
			return err
		}
		if first {
			first = false
			taken()
		}
		if !reads {
			<-ctx.Done()
			return nil
		}
	}
	return nil
}

// Count takes n messages that are numbered, and returns how many of them were not the next
// one.
func (s *Streams) Count(ctx context.Context, n int) (wrong int, err error) {
	next := uint64(0)
	for m, err := range s.options.flood().Call(ctx, s.client, order{Count: n}.encode()) {
		if err != nil {
			return wrong, fmt.Errorf("after %d messages: %w", next, err)
		}
		if len(m) != 8 || binary.BigEndian.Uint64(m) != next {
			wrong++
		}
		next++
	}
	return wrong + max(0, n-int(next)), nil
}

// Hold opens n streams of both sides on which nothing happens. They end with ctx.
func (s *Streams) Hold(ctx context.Context, n int) error {
	for range n {
		if _, _, err := s.Talk(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Until waits until a stream without end fails, and returns why.
func (s *Streams) Until(ctx context.Context, began func()) error {
	talk, err := s.options.echo().Open(ctx, s.client)
	if err != nil {
		return err
	}
	defer talk.Close()
	began()
	if _, err = talk.Recv(); err == io.EOF {
		return nil
	}
	return err
}
