package faultsuite

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/testing/faultproxy"
)

// Harm is a kind of fault. Do injects the fault and undoes it before it returns. wait
// waits for a duration, but not beyond the end of the run.
type Harm struct {
	Name string
	Do   func(rng *rand.Rand, wait func(time.Duration)) error
}

// Inject injects faults until ctx is done, one after another, with a pause of up to
// calm between them. Each kind comes once in a random order, and then again in another
// random order.
func Inject(ctx context.Context, rec *Recorder, seed uint64, calm time.Duration, harms ...Harm) error {
	rng := rand.New(rand.NewPCG(seed, 0))
	wait := func(d time.Duration) { pause(ctx, d) }
	var order []int
	for {
		wait(upTo(rng, calm))
		if ctx.Err() != nil {
			return nil
		}
		if len(order) == 0 {
			order = rng.Perm(len(harms))
		}
		h := harms[order[0]]
		order = order[1:]
		rec.Note(h.Name)
		// Each fault has its own generator, so its draws do not change later faults.
		if err := h.Do(rand.New(rand.NewPCG(seed, rng.Uint64())), wait); err != nil {
			return fmt.Errorf("%s: %w", h.Name, err)
		}
		rec.Note(h.Name + ": over")
	}
}

// Owed waits, at most for most, until every confirmed notification that must run has
// run. The checker reports those that have not.
func Owed(rec *Recorder, most time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), most)
	defer cancel()
	for {
		h, err := rec.History()
		if err != nil {
			return err
		}
		owed := false
		for _, v := range Check(h) {
			owed = owed || v.Guarantee == AtLeastOnce
		}
		if !owed || ctx.Err() != nil {
			return nil
		}
		pause(ctx, 100*time.Millisecond)
	}
}

// ProxyHarms returns the faults that a proxy can inject into its connections. side
// names the owner of the connections. half bounds how long a connection stays
// half-open, which otherwise only a heartbeat ends.
func ProxyHarms(p *faultproxy.Proxy, side string, most, half time.Duration) []Harm {
	direction := func(rng *rand.Rand) faultproxy.Direction { return faultproxy.Direction(rng.IntN(2)) }
	ending := func(rng *rand.Rand) faultproxy.Ending { return faultproxy.Ending(rng.IntN(2)) }
	harm := func(name string, do func(rng *rand.Rand, wait func(time.Duration)) error) Harm {
		return Harm{side + " " + name, do}
	}
	return []Harm{
		harm("connections cut", func(rng *rand.Rand, _ func(time.Duration)) error {
			p.Cut(ending(rng))
			return nil
		}),
		harm("connections cut at some byte", func(rng *rand.Rand, wait func(time.Duration)) error {
			p.CutAfter(direction(rng), 1+rng.Int64N(50_000), ending(rng))
			wait(upTo(rng, most))
			return nil
		}),
		harm("connections cut twice, again while they are made anew", func(rng *rand.Rand, wait func(time.Duration)) error {
			p.Cut(ending(rng))
			p.CutAfter(direction(rng), 1+rng.Int64N(2_000), ending(rng))
			wait(upTo(rng, most))
			return nil
		}),
		harm("bytes stalled", func(rng *rand.Rand, wait func(time.Duration)) error {
			d := direction(rng)
			p.Stall(d)
			wait(upTo(rng, most))
			p.Resume(d)
			return nil
		}),
		harm("connections half-open", func(rng *rand.Rand, wait func(time.Duration)) error {
			if rng.IntN(2) == 0 {
				p.DropClients(ending(rng))
			} else {
				p.DropBroker(ending(rng))
			}
			wait(upTo(rng, half))
			p.Cut(faultproxy.RST)
			return nil
		}),
		harm("connections cut, and refused for a while", func(rng *rand.Rand, wait func(time.Duration)) error {
			p.Refuse()
			p.Cut(ending(rng))
			wait(upTo(rng, most))
			return p.Accept()
		}),
	}
}
