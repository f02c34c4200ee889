package amqptest

// deque is a ring with cheap ends. The zero value is empty.
type deque[T any] struct {
	ring []T // its length is zero or a power of two
	head int
	n    int
}

func (d *deque[T]) index(i int) int { return (d.head + i) & (len(d.ring) - 1) }

// at is the i-th element from the front.
func (d *deque[T]) at(i int) *T { return &d.ring[d.index(i)] }

func (d *deque[T]) pushBack(v T) {
	d.grow()
	d.ring[d.index(d.n)] = v
	d.n++
}

func (d *deque[T]) pushFront(v T) {
	d.grow()
	d.head = d.index(len(d.ring) - 1)
	d.ring[d.head] = v
	d.n++
}

// popFront removes the first element; the deque must not be empty.
func (d *deque[T]) popFront() T {
	var zero T
	v := d.ring[d.head]
	d.ring[d.head] = zero
	d.head = d.index(1)
	if d.n--; d.n == 0 {
		d.head = 0
		if len(d.ring) > 1024 {
			d.ring = nil // a long queue that has drained keeps no memory
		}
	}
	return v
}

// insert puts v before the i-th element.
func (d *deque[T]) insert(i int, v T) {
	if i == 0 {
		d.pushFront(v)
		return
	}
	d.pushBack(v)
	for j := d.n - 1; j > i; j-- {
		*d.at(j) = *d.at(j - 1)
	}
	*d.at(i) = v
}

// removeFunc removes every element for which drop is true, and keeps the order.
func (d *deque[T]) removeFunc(drop func(T) bool) {
	var zero T
	kept := 0
	for i := range d.n {
		if v := *d.at(i); !drop(v) {
			*d.at(kept) = v
			kept++
		}
	}
	for i := kept; i < d.n; i++ {
		*d.at(i) = zero
	}
	d.n = kept
}

func (d *deque[T]) grow() {
	if d.n < len(d.ring) {
		return
	}
	grown := make([]T, max(4, 2*len(d.ring)))
	for i := range d.n {
		grown[i] = *d.at(i)
	}
	d.ring, d.head = grown, 0
}
