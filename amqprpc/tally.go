package amqprpc

import (
	"cmp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bbebcec1/amqprpc-go/amqprpc/describe"
)

const (
	failureKinds = 8   // kinds of errors that are kept for each queue
	failureText  = 256 // bytes of an error's text that are kept
)

// tally counts the requests of one queue. The zero value is empty.
type tally struct {
	ok, refused, redelivered, running atomic.Int64
	failed                            codeCounters
	handler, queued                   recorder
	failures                          failures
}

// end counts a request that has ended, with an error or nil. It is refused if no handler got
// it.
func (t *tally) end(err *Error, refused bool) {
	if refused {
		t.refused.Add(1)
	}
	if err == nil {
		t.ok.Add(1)
		return
	}
	t.failed.add(err.code)
	t.failures.add(string(codeFromWire(string(err.code))), err.message)
}

// failures are the last kinds of errors.
type failures struct {
	mu    sync.Mutex
	kinds []describe.Failure
}

func (f *failures) add(code, text string) {
	text = strings.ToValidUTF8(text[:min(len(text), failureText)], "")
	f.mu.Lock()
	defer f.mu.Unlock()
	i := slices.IndexFunc(f.kinds, func(k describe.Failure) bool { return k.Code == code && k.Message == text })
	switch {
	case i >= 0:
	case len(f.kinds) < failureKinds:
		i = len(f.kinds)
		f.kinds = append(f.kinds, describe.Failure{})
		text = strings.Clone(text) // the whole text of the error may be long
	default:
		i = slices.Index(f.kinds, slices.MinFunc(f.kinds, func(a, b describe.Failure) int { return a.Last.Compare(b.Last) }))
		f.kinds[i] = describe.Failure{}
		text = strings.Clone(text)
	}
	f.kinds[i] = describe.Failure{Code: code, Message: text, Count: f.kinds[i].Count + 1, Last: time.Now()}
}

// snapshot returns the kinds of errors, the latest first.
func (f *failures) snapshot() []describe.Failure {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.SortedStableFunc(slices.Values(f.kinds), func(a, b describe.Failure) int {
		return cmp.Or(b.Last.Compare(a.Last), cmp.Compare(a.Message, b.Message))
	})
}
