package flow

// queue is first in, first out. It keeps no memory of what has left it.
type queue[T any] struct {
	all  []T
	head int // all[head:] is in the queue
}

func (q *queue[T]) len() int   { return len(q.all) - q.head }
func (q *queue[T]) at(i int) T { return q.all[q.head+i] }

func (q *queue[T]) add(v T) {
	if q.head > len(q.all)/2 {
		n := copy(q.all, q.all[q.head:])
		clear(q.all[n:])
		q.all, q.head = q.all[:n], 0
	}
	q.all = append(q.all, v)
}

// take removes the first one, which must be there.
func (q *queue[T]) take() T {
	var zero T
	v := q.all[q.head]
	q.all[q.head] = zero
	q.head++
	return v
}
