package flow

import "slices"

// blockLong is how many values a block of a queue takes.
const blockLong = 8

// queue is first in, first out. Its memory comes in blocks: a queue has room for hardly more
// values than it holds. An empty queue that was used keeps one block.
type queue[T any] struct {
	blocks []*[blockLong]T // without room for a further block behind the last value
	head   int             // where the first value is in the first block
	n      int
}

func (q *queue[T]) len() int   { return q.n }
func (q *queue[T]) at(i int) T { return *q.slot(i) }

func (q *queue[T]) slot(i int) *T {
	i += q.head
	return &q.blocks[i/blockLong][i%blockLong]
}

func (q *queue[T]) add(v T) {
	if q.head+q.n == len(q.blocks)*blockLong {
		q.blocks = append(q.blocks, new([blockLong]T))
	}
	*q.slot(q.n) = v
	q.n++
}

// take removes the first one, which must be there.
func (q *queue[T]) take() T {
	var zero T
	first := q.slot(0)
	v := *first
	*first = zero
	q.head++
	switch q.n--; {
	case q.n == 0:
		q.head = 0
		if cap(q.blocks) > blockLong {
			q.blocks = []*[blockLong]T{q.blocks[0]}
		}
	case q.head == blockLong:
		q.blocks, q.head = slices.Delete(q.blocks, 0, 1), 0
	}
	return v
}
