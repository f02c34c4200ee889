package flow

// queueLeast is how many values a queue has room for at least, once it was used.
const queueLeast = 8

// queue is first in, first out. It keeps room for at most four times as many values as it
// holds, so that a stream which was busy once takes little memory when it is idle.
type queue[T any] struct {
	ring []T // its length is a power of two, or 0
	head int // where the first one is
	n    int
}

func (q *queue[T]) len() int   { return q.n }
func (q *queue[T]) at(i int) T { return q.ring[q.index(i)] }

func (q *queue[T]) index(i int) int { return (q.head + i) & (len(q.ring) - 1) }

func (q *queue[T]) add(v T) {
	if q.n == len(q.ring) {
		q.resize(max(2*q.n, queueLeast))
	}
	q.ring[q.index(q.n)] = v
	q.n++
}

// take removes the first one, which must be there.
func (q *queue[T]) take() T {
	var zero T
	v := q.ring[q.head]
	q.ring[q.head] = zero
	q.head = q.index(1)
	q.n--
	if size := len(q.ring); size > queueLeast && q.n <= size/4 {
		q.resize(size / 2)
	}
	return v
}

func (q *queue[T]) resize(size int) {
	ring := make([]T, size)
	for i := range q.n {
		ring[i] = q.at(i)
	}
	q.ring, q.head = ring, 0
}
