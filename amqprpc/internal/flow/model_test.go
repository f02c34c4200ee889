package flow

import (
	"cmp"
	"errors"
	"fmt"
	"hash/maphash"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// world is a stream in one state: both sides, and what is under way from each.
type world struct {
	sides [2]side // client and server
	ways  [2][]message
	left  faults // that may still happen
	lossy bool   // a message was lost, or overtaken by a later one
	mixed bool   // a message was doubled, or overtaken by a later one
}

// faults are how many of each fault may happen.
type faults struct {
	losses, doubles, swaps, connections, restarts, beats int
}

// step is something that may happen in a world, with a name for error messages.
type step struct {
	side int
	name string
	do   func(*world) error
}

func (s step) String() string { return fmt.Sprintf("side %d %s", s.side, s.name) }

func (w *world) clone() *world {
	c := *w
	for i := range w.sides {
		c.sides[i] = w.sides[i].clone()
		c.ways[i] = slices.Clone(w.ways[i])
	}
	return &c
}

func (w *world) append(dst []byte) []byte {
	f := &w.left
	dst = appendBools(dst, w.lossy, w.mixed)
	dst = append(dst, byte(f.losses), byte(f.doubles), byte(f.swaps), byte(f.connections), byte(f.restarts), byte(f.beats))
	for i := range w.sides {
		dst = append(w.sides[i].append(dst), byte(len(w.ways[i])))
		for j := range w.ways[i] {
			dst = w.ways[i][j].append(dst)
		}
	}
	return dst
}

// deliver takes the first message that side i has written to the other.
func (w *world) deliver(i int) error {
	m := w.ways[i][0]
	w.ways[i] = slices.Delete(w.ways[i], 0, 1)
	return w.sides[1-i].receive(m)
}

// lose loses all that side i has written.
func (w *world) lose(i int) {
	w.lossy = w.lossy || len(w.ways[i]) > 0
	w.ways[i] = nil
}

// steps are what may happen to side i, its faults aside.
func (w *world) steps(i int) (all []step) {
	s := &w.sides[i]
	may := func(can bool, name string, do func(*world) error) {
		if can {
			all = append(all, step{i, name, do})
		}
	}
	may(s.mayAdd(), "adds", func(w *world) error { w.sides[i].add(); return nil })
	may(s.mayClose(), "ends", func(w *world) error { w.sides[i].out.Add(End, nil); return nil })
	may(s.mayWrite(), "writes", func(w *world) error { w.ways[i] = append(w.ways[i], w.sides[i].write()); return nil })
	may(s.mayTake(), "takes", func(w *world) error { return w.sides[i].take(&w.sides[1-i]) })
	may(s.in.Pending() && !s.in.Due(), "tells", func(w *world) error { w.sides[i].in.Tell(); return nil })
	may(len(w.ways[i]) > 0, "is heard", func(w *world) error { return w.deliver(i) })
	return all
}

// mishaps are the faults that may happen to side i and to what it has written.
func (w *world) mishaps(i int) (all []step) {
	may := func(name string, do func(*world)) {
		all = append(all, step{i, name, func(w *world) error { do(w); return nil }})
	}
	f := w.left
	if f.beats > 0 && w.sides[i].bound {
		may("beats", func(w *world) { w.left.beats--; w.sides[i].out.Ask() })
	}
	for j := range w.ways[i] {
		if f.losses > 0 {
			may("loses one", func(w *world) { w.left.losses--; w.lossy = true; w.ways[i] = slices.Delete(w.ways[i], j, j+1) })
		}
		if f.doubles > 0 {
			may("doubles one", func(w *world) { w.left.doubles--; w.mixed = true; w.ways[i] = append(w.ways[i], w.ways[i][j]) })
		}
		if f.swaps > 0 && j > 0 {
			may("swaps two", func(w *world) {
				w.left.swaps--
				w.lossy, w.mixed = true, true
				w.ways[i][j], w.ways[i][j-1] = w.ways[i][j-1], w.ways[i][j]
			})
		}
	}
	for n := 0; n < 4 && f.connections > 0; n++ {
		may("loses its connection", func(w *world) {
			w.left.connections--
			if n&1 != 0 {
				w.lose(i)
			}
			if n&2 != 0 {
				w.lose(1 - i)
			}
			w.sides[i].lost()
		})
	}
	if f.restarts > 0 && i == 0 {
		may("and its broker start again", func(w *world) {
			w.left.restarts--
			for i := range w.sides {
				w.lose(i)
				w.sides[i].lost()
			}
		})
	}
	return all
}

var (
	errAgain   = errors.New("a frame was written again, and none was lost")
	errDoubled = errors.New("a frame was written again that had arrived")
	errNoEnd   = errors.New("the stream makes no progress")
	errChatter = errors.New("the two go on talking")
)

func (w *world) check() error {
	for i := range w.sides {
		if err := w.sides[i].check(&w.sides[1-i]); err != nil {
			return err
		}
		if w.sides[i].again > 0 && !w.lossy {
			return errAgain
		}
		if w.sides[i].doubled && !w.mixed {
			return errDoubled
		}
	}
	return nil
}

const (
	beatsMost = 3   // until everything has arrived, once nothing is lost any more
	stepsMost = 200 // until then
)

// begin has all items of the server on their way to a client that has the accept.
func (w *world) begin() {
	s := &w.sides[1]
	for s.mayAdd() {
		s.add()
	}
	for s.mayWrite() {
		w.ways[1] = append(w.ways[1], s.write())
	}
	w.deliver(1)
}

// known has for each world from which all is well how many beats that took.
type known struct {
	seed  maphash.Seed
	beats map[uint64]int
	key   []byte
}

func (k *known) id(w *world) uint64 {
	k.key = w.append(k.key[:0])
	return maphash.Bytes(k.seed, k.key)
}

// finish lets everything happen that must, and nothing be lost, until both sides are done.
func (k *known) finish(w *world) error {
	w.left, w.lossy, w.mixed = faults{}, true, true
	var path []uint64
	var at []int // how many beats there had been
	beats := 0
	for len(path) < stepsMost {
		id := k.id(w)
		more, ok := k.beats[id]
		all := append(w.steps(0), w.steps(1)...)
		switch {
		case len(all) > 0:
		case w.sides[0].settled(&w.sides[1]) && w.sides[1].settled(&w.sides[0]):
			ok = true
		}
		if ok {
			if beats += more; beats > beatsMost {
				return errNoEnd
			}
			for i, id := range path {
				k.beats[id] = beats - at[i]
			}
			return nil
		}
		path, at = append(path, id), append(at, beats)
		if len(all) > 0 {
			if err := all[0].do(w); err != nil {
				return fmt.Errorf("%v: %w", all[0], err)
			}
			continue
		}
		if beats++; beats > beatsMost {
			return errNoEnd
		}
		asked := false
		for i := range w.sides {
			asked = w.sides[i].out.Ask() || asked
		}
		if !asked {
			return errNoEnd
		}
	}
	return errChatter
}

// history is how a world came about.
type history struct {
	world *world
	last  *history
	step  step
}

func (h *history) String() (s string) {
	for ; h.last != nil; h = h.last {
		s = h.step.String() + "\n" + s
	}
	return s
}

// explore lets everything happen that can, in every order, up to depth steps. It returns how
// many worlds there are.
func explore(t *testing.T, w *world, depth int) (worlds, most int) {
	t.Helper()
	k := known{seed: maphash.MakeSeed(), beats: map[uint64]int{}}
	seen := map[uint64]bool{}
	level := []*history{{world: w}}
	for range depth {
		var next []*history
		for _, h := range level {
			for i := range h.world.sides {
				for _, s := range append(h.world.steps(i), h.world.mishaps(i)...) {
					after := &history{h.world.clone(), h, s}
					err := s.do(after.world)
					id := k.id(after.world)
					if seen[id] && err == nil {
						continue
					}
					seen[id] = true
					next = append(next, after)
					if err = errors.Join(err, after.world.check()); err == nil {
						err = k.finish(after.world.clone())
					}
					if err != nil {
						require.FailNow(t, err.Error(), "\n%s", after)
					}
				}
			}
		}
		level = next
	}
	for _, n := range k.beats {
		most = max(most, n)
	}
	return len(seen), most
}

// Both sides of a stream keep their promises in every short history: items arrive once each
// and in order, an end comes after all items, no window is exceeded, and nothing is written
// again that has arrived. However it went, once nothing is lost any more all arrives.
func TestEveryShortHistory(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		client, server plan
		faults         faults
		depth          int
		beats          int  // at most, until all has arrived
		begun          bool // the server's items are under way
	}{
		"nothing is lost": {
			plan{items: 2, size: 1, window: ItemCost + 1}, plan{items: 2, size: 1, window: ItemCost + 1}, faults{beats: 1}, 17, 0, false,
		},
		"one-way, losses": {
			plan{size: 1, window: 2*ItemCost + 1}, plan{items: 3, size: 1, window: 2*ItemCost + 1, frames: 1}, faults{losses: 2}, 15, 1, true,
		},
		"one-way, doubled and swapped": {
			plan{size: 1, window: 2*ItemCost + 1}, plan{items: 3, size: 1, window: 2*ItemCost + 1}, faults{doubles: 1, swaps: 1}, 13, 1, false,
		},
		"both ways, connections": {
			plan{items: 1, size: 1, window: ItemCost + 1}, plan{items: 2, size: 1, window: ItemCost + 1}, faults{connections: 2}, 11, 2, false,
		},
		"one-way, connections and a restart": {
			plan{size: 1, window: ItemCost + 1}, plan{items: 3, size: 1, window: ItemCost + 1}, faults{connections: 1, restarts: 1}, 13, 2, false,
		},
		"large items, window shrinks": {
			plan{items: 2, size: 40, window: ItemCost + 1}, plan{items: 2, size: 40, window: ItemCost + 48, shrunk: 8}, faults{losses: 1, connections: 1}, 14, 1, false,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.server.server = true
			c.client.frames, c.server.frames = cmp.Or(c.client.frames, 2), cmp.Or(c.server.frames, 2)
			w := &world{sides: [2]side{newSide(c.client), newSide(c.server)}, left: c.faults}
			w.sides[1].out.Grant(c.client.window)
			if c.begun {
				w.begin()
			}
			n, most := explore(t, w, c.depth)
			t.Logf("%d worlds, %d beats", n, most)
			require.Greater(t, n, 5000)
			require.Equal(t, c.beats, most)
		})
	}
}
