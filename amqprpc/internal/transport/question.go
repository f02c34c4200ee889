package transport

import (
	"context"
	"fmt"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/frame"
)

// question is a method that waits for the broker's answer. A channel has one at a time.
type question struct {
	want   frame.ID    // the kind of the answer
	answer chan answer // has room for it
}

// answer is a method of the kind that was wanted, or why the channel or the connection ended
// instead.
type answer struct {
	method frame.Method
	err    error
}

// take waits until no other method of the channel waits for the broker.
func (ch *Channel) take(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case ch.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (ch *Channel) leave() { <-ch.turn }

// call sends a method and waits for its answer, unless want is 0.
func (ch *Channel) call(ctx context.Context, want frame.ID, m frame.Method) (frame.Method, error) {
	if err := ch.take(ctx); err != nil {
		return nil, err
	}
	defer ch.leave()
	if ch.assembly.ending.Load() != 0 {
		return nil, ErrClosed
	}
	return ch.ask(ctx, want, m, atOnce)
}

// ask is call for whoever has the turn.
func (ch *Channel) ask(ctx context.Context, want frame.ID, m frame.Method, w when) (frame.Method, error) {
	s, a := ch.conn.socket, &ch.assembly
	q := &question{want: want, answer: make(chan answer, 1)}
	a.asked.Store(q)
	defer a.asked.Store(nil)
	drop := func() {
		s.fail(fmt.Errorf("the connection was given up, since the broker did not answer in time: %v", ctx.Err()))
		s.raw.Close()
	}
	watched := context.AfterFunc(ctx, drop)
	err := s.writeFrames(a, frame.AppendMethod(nil, a.channel, m), w)
	if !watched() {
		drop() // it may not be done
		return nil, ctx.Err()
	}
	if err != nil && s.isLost() {
		return nil, ch.conn.Err()
	}
	if err != nil || want == 0 {
		return nil, err
	}
	select {
	case got := <-q.answer:
		return got.method, got.err
	case <-ctx.Done():
		drop()
		return nil, ctx.Err()
	}
}
