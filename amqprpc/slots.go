package amqprpc

import "sync"

// slots bounds the handlers in flight on a queue.
type slots struct {
	mu    sync.Mutex
	freed sync.Cond
	most  int
	taken int
}

func (s *slots) init(most int) {
	s.most = most
	s.freed.L = &s.mu
}

// take waits for a slot.
func (s *slots) take() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.taken >= s.most {
		s.freed.Wait()
	}
	s.taken++
}

// tryTake takes a slot if there is a free one.
func (s *slots) tryTake() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.taken >= s.most {
		return false
	}
	s.taken++
	return true
}

// give gives a slot back.
func (s *slots) give() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.taken--
	s.freed.Signal()
}
