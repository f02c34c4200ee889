package discovery

import (
	"time"

	"github.com/bbebcec1/amqprpc-go/amqprpc/describe"
)

// Filter says which servers a question is for, and how long it takes. The filters are
// [OfInstance], [OfQueue], [OfService] and [Quiet]. A server must pass all of them.
type Filter interface{ apply(*question) }

type filter func(*question)

func (f filter) apply(q *question) { f(q) }

// question is a question with its filters.
type question struct {
	query    describe.Query
	instance string // "" is all
	quiet    time.Duration
}

// OfInstance asks the server with this ID alone. The question ends with its answer.
func OfInstance(id string) Filter { return filter(func(q *question) { q.instance = id }) }

// OfService asks the servers of the service with this name.
func OfService(name string) Filter { return filter(func(q *question) { q.query.Service = name }) }

// OfQueue asks the servers that have a handler for this queue. Their documents have their other
// methods as well.
func OfQueue(queue string) Filter { return filter(func(q *question) { q.query.Queue = queue }) }

const (
	defaultQuiet = 250 * time.Millisecond
	quietOfOne   = 8 // times the quiet time: a question to one server ends with its answer
)

// Quiet sets how long a question waits for the first answer. The default is 250 ms. After the
// last answer, the question waits for further ones for a fifth of it, and longer where answers
// come slowly. A question to one server ([OfInstance]) waits for eight times as long. Values of
// zero and below leave the default.
func Quiet(d time.Duration) Filter {
	return filter(func(q *question) {
		if d > 0 {
			q.quiet = min(d, time.Hour)
		}
	})
}
