package messaging

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

// drained is what a drain has left.
type drained struct {
	left    int   // requests that are not answered
	unsure  int   // answers that the broker may not have taken
	lost    error // why the connection was lost meanwhile; nil if it was not
	overran bool  // the drain limit passed
}

// drain cancels the consumers, and waits until what they have got is answered.
func (s *Server) drain(conn *Conn, serving *sync.WaitGroup) (d drained) {
	limit, cancel := context.WithTimeout(context.Background(), s.DrainTimeout)
	defer cancel()
	s.Draining()
	var before []*subscription // lost before the drain, which is not to blame for them
	for _, sub := range s.subscriptions() {
		if sub.lost() {
			before = append(before, sub)
		}
	}
	stopped := make(chan struct{})
	go func() { serving.Wait(); close(stopped) }()
	select {
	case <-stopped:
	case <-limit.Done():
		s.drop(conn)
		<-stopped
	}
	subs := s.subscriptions()
	var draining sync.WaitGroup
	for _, sub := range subs {
		draining.Go(func() { sub.drain(limit) })
	}
	finished := make(chan struct{})
	go func() { draining.Wait(); close(finished) }()
	select {
	case <-finished:
	case <-conn.Lost():
		s.drop(conn)
		<-finished
	}
	d.overran = limit.Err() != nil
	for _, sub := range subs {
		if !slices.Contains(before, sub) {
			d.left += int(sub.left.Load())
			d.unsure += sub.unsure
		}
	}
	if conn.IsClosed() { // if so, that is why channels were lost; the reason follows
		select {
		case <-conn.Lost():
		case <-limit.Done():
		}
	}
	if isClosed(conn.Lost()) {
		d.lost = conn.Err()
	}
	for _, c := range s.Consumers {
		if d.lost == nil { // else all are lost, and counted already
			d.left += c.owed()
		}
	}
	return d
}

func (s *Server) subscriptions() (subs []*subscription) {
	for _, c := range s.Consumers {
		subs = append(subs, c.subscriptions()...)
	}
	return subs
}

// err says what is left; nil if nothing is.
func (d *drained) err(limit time.Duration) error {
	const again = "requests of handlers without WithAtMostOnce will be delivered again"
	answers := ""
	if d.unsure > 0 { // as under a memory alarm
		answers = fmt.Sprintf(", and up to %s may be lost: the broker has not taken them", Counted(d.unsure, "answer"))
	}
	switch {
	case d.left == 0 && d.unsure == 0:
		return nil
	case d.lost != nil && !d.overran:
		return fmt.Errorf("the connection was lost while draining: %s did not get an answer%s; %s: %w", Counted(d.left, "request"), answers, again, d.lost)
	case !d.overran:
		return fmt.Errorf("the broker did not answer at the end of the drain: %s did not get an answer%s; %s", Counted(d.left, "request"), answers, again)
	default:
		return fmt.Errorf("the drain limit of %v passed: %s had to be handed back%s; %s", limit, Counted(d.left, "request"), answers, again)
	}
}

// drain ends the consumer, and waits until all that it got is answered, and what the
// channel owes for an earlier one. It finds out how many answers the broker may not
// have taken.
func (s *subscription) drain(limit context.Context) {
	if s.lost() {
		return
	}
	taken, written := int64(0), s.written.Load()
	// The broker answers after all that came before on the channel, also if there is no such
	// consumer any more.
	if s.channel.ch.Cancel(limit, s.tag()) == nil {
		taken = written
	}
	for s.consumer.owed() > 0 && !s.lost() && limit.Err() == nil {
		sleep(limit, owedPause)
	}
	s.deafen()
	select {
	case <-s.drained:
		if s.written.Load() == taken || s.channel.ch.Cancel(limit, s.tag()) == nil {
			return
		}
	case <-s.channel.ctx.Done():
	case <-limit.Done():
	}
	// With more than the prefetch untaken the broker would have delivered no more.
	s.unsure = int(min(s.written.Load()-taken, int64(s.consumer.Prefetch)))
}
