package messaging

import "slices"

// fifoKept is for how many values an empty fifo keeps memory. Some get long while there
// is no connection.
const fifoKept = 4096

// fifo is a first-in, first-out queue. It is not safe for concurrent use.
type fifo[T any] struct {
	values []T
	head   int // values[head:] wait
}

func (f *fifo[T]) len() int { return len(f.values) - f.head }

// all is what waits, in its order. It is valid until the next call of another method.
func (f *fifo[T]) all() []T { return f.values[f.head:] }

// push adds values at the end.
func (f *fifo[T]) push(vs ...T) {
	if f.head > 0 && len(f.values)+len(vs) > cap(f.values) && 2*f.head >= len(f.values) {
		n := copy(f.values, f.values[f.head:])
		clear(f.values[n:])
		f.values, f.head = f.values[:n], 0
	}
	f.values = append(f.values, vs...)
}

// pushFront adds values before all others.
func (f *fifo[T]) pushFront(vs []T) {
	f.values, f.head = slices.Concat(vs, f.all()), 0
}

// pop takes the first value, which there must be.
func (f *fifo[T]) pop() T {
	v := f.values[f.head]
	f.skip(1)
	return v
}

// popUpTo moves the first values, at most n, to the end of dst.
func (f *fifo[T]) popUpTo(n int, dst []T) []T {
	n = min(n, f.len())
	dst = append(dst, f.all()[:n]...)
	f.skip(n)
	return dst
}

// skip drops the first n values.
func (f *fifo[T]) skip(n int) {
	clear(f.all()[:n])
	f.head += n
	f.reuse()
}

// dropLast drops the last n values.
func (f *fifo[T]) dropLast(n int) {
	rest := len(f.values) - n
	clear(f.values[rest:])
	f.values = f.values[:rest]
	f.reuse()
}

// keep drops the values that are not wanted.
func (f *fifo[T]) keep(wanted func(T) bool) {
	rest := slices.DeleteFunc(f.all(), func(v T) bool { return !wanted(v) })
	f.values = f.values[:f.head+len(rest)]
	f.reuse()
}

// reuse has an empty fifo begin at the front of its memory again, unless that is large.
func (f *fifo[T]) reuse() {
	switch {
	case f.len() > 0:
	case cap(f.values) > fifoKept:
		f.values, f.head = nil, 0
	default:
		f.values, f.head = f.values[:0], 0
	}
}
