package web

import (
	"fmt"
	"net/http"
	"sync"
)

// How many calls and streams are open at once.
const (
	maxCalls = 64 // of all browsers together
	// maxOfBrowser is for all tabs of a browser. A browser has six connections to a page. Each
	// call takes one of them, and the rest is for what shows and stops the calls.
	maxOfBrowser = 4
)

// slots counts the calls and streams that are open.
type slots struct {
	mu       sync.Mutex
	all      int
	browsers map[string]int // by what the page calls a browser; "" has no bound of its own
}

func newSlots() *slots { return &slots{browsers: make(map[string]int)} }

// take takes a slot, or says why there is none.
func (s *slots) take(browser string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case browser != "" && s.browsers[browser] >= maxOfBrowser:
		return fmt.Errorf("this browser has %d calls and streams open, in all its tabs together; it has too few connections for more: end one of them first", maxOfBrowser)
	case s.all >= maxCalls:
		return fmt.Errorf("%d calls and streams of this page are open, of all browsers together: end some of them", maxCalls)
	}
	s.all++
	s.browsers[browser]++
	return nil
}

func (s *slots) give(browser string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all--
	if s.browsers[browser]--; s.browsers[browser] == 0 {
		delete(s.browsers, browser)
	}
}

// occupy reads a call that the page wants, and takes a slot for it. If it returns false, it has
// answered. Otherwise the caller gives the slot back.
func (p *Page) occupy(w http.ResponseWriter, r *http.Request, in *callRequest) bool {
	if !readJSON(w, r, in) {
		return false
	}
	if err := p.slots.take(in.Browser); err != nil {
		refuse(w, http.StatusTooManyRequests, "resource_exhausted", err.Error())
		return false
	}
	return true
}
