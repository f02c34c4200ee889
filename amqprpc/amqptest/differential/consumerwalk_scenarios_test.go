package differential

import (
	"fmt"
	"math/rand/v2"
	"slices"
)

// recordedConsumerWalks is how many of these have transcripts in testdata.
const recordedConsumerWalks = 10

// consumerWalkScenarios are random scripts too, of consumers that come and go.
func consumerWalkScenarios(first, last int) group {
	var scenarios []scenario
	for seed := first; seed <= last; seed++ {
		scenarios = append(scenarios, scenario{fmt.Sprintf("%02d", seed), func(s *S) { newConsumerWalk(s, seed).run(25) }})
	}
	return group{name: "consumer-walk", scenarios: scenarios}
}

// consumerWalk has two channels that consume from a queue and a third that publishes to
// it. One queue only: what several of them deliver on one channel comes in the order in
// which their processes were scheduled. After each step all that the broker delivers on account of it is awaited, so that the
// next step, and the transcript, do not depend on how fast it was.
type consumerWalk struct {
	s         *S
	rng       *rand.Rand
	c         *Conn
	pub       *Chan
	queue     string
	consumers []*consumingChan
	tags      int
	count     int
}

type consumingChan struct {
	*Chan
	held []*message
	tags []string
	free map[string]bool // consumers without acknowledgements
}

func newConsumerWalk(s *S, seed int) *consumerWalk {
	w := &consumerWalk{s: s, rng: rand.New(rand.NewPCG(uint64(seed), 1)), c: s.Dial()}
	w.pub = w.c.Channel()
	w.pub.Confirm()
	args := Table{}
	if seed%2 == 0 {
		args["x-max-priority"] = 2
	}
	w.queue = w.pub.Queue(s.N("q"), args)
	w.consumers = []*consumingChan{w.open(), w.open()}
	return w
}

func (w *consumerWalk) open() *consumingChan {
	return &consumingChan{Chan: w.c.Channel(), free: map[string]bool{}}
}

func (w *consumerWalk) run(steps int) {
	for range steps {
		w.step()
		w.catchUp()
		if w.c.closed {
			return
		}
	}
	w.pub.Count(w.queue)
}

func (w *consumerWalk) step() {
	i := w.rng.IntN(2)
	ch := w.consumers[i]
	switch n := w.rng.IntN(100); {
	case n < 30:
		for range 1 + w.rng.IntN(3) {
			w.count++
			w.pub.Publish("", w.queue, fmt.Sprint(w.count), M{"priority": w.rng.IntN(3)})
			w.pub.Confirms(1)
		}
	case n < 52:
		w.consume(ch)
	case n < 64:
		ch.settle(w.rng, "basic.ack", M{"multiple": w.rng.IntN(3) == 0})
	case n < 74:
		ch.settle(w.rng, "basic.reject", M{"requeue": w.rng.IntN(3) > 0})
	case n < 82:
		ch.settle(w.rng, "basic.nack", M{"requeue": w.rng.IntN(3) > 0, "multiple": w.rng.IntN(2) == 0})
	case n < 88:
		if m := ch.Get(w.queue); m != nil && m.method.name == "basic.get-ok" {
			ch.held = append(ch.held, m)
		}
	case n < 93:
		if len(ch.tags) > 0 {
			k := w.rng.IntN(len(ch.tags))
			ch.Call("basic.cancel", M{"consumer-tag": ch.tags[k]})
			ch.tags = slices.Delete(ch.tags, k, k+1)
		}
	case n < 96:
		ch.Call("basic.recover", M{"requeue": true})
		ch.held = nil
	default:
		ch.Call("channel.close", M{"reply-code": 200})
		ch.collect() // what came before the close-ok
		w.consumers[i] = w.open()
	}
}

func (w *consumerWalk) consume(ch *consumingChan) {
	if len(ch.tags) == 3 {
		return
	}
	w.tags++
	tag := fmt.Sprintf("t%d", w.tags)
	ch.Qos(w.rng.IntN(4))
	m := M{"no-ack": w.rng.IntN(5) == 0}
	if w.rng.IntN(4) == 0 {
		m["arguments"] = Table{"x-priority": w.rng.IntN(3)}
	}
	ch.free[tag] = m["no-ack"] == true
	ch.tags = append(ch.tags, tag)
	ch.Consume(w.queue, tag, m)
}

// settle acknowledges or rejects one of the held messages, or all up to it.
func (ch *consumingChan) settle(rng *rand.Rand, method string, args M) {
	if len(ch.held) == 0 {
		return
	}
	i := rng.IntN(len(ch.held))
	args["delivery-tag"] = tagOf(ch.held[i])
	if args["multiple"] == true {
		ch.held = slices.Delete(ch.held, 0, i+1)
	} else {
		ch.held = slices.Delete(ch.held, i, i+1)
	}
	ch.Send(method, args)
}

// catchUp waits until the queue has come to rest and all that it has sent is here, and
// writes it down.
func (w *consumerWalk) catchUp() {
	was := w.c.silent
	w.c.silent = true
	w.pub.Count(w.queue)
	// A queue's answer to a channel comes after what it has delivered there.
	for _, ch := range w.consumers {
		ch.Call("queue.declare", M{"queue": w.queue, "passive": true})
	}
	w.c.silent = was
	for _, ch := range w.consumers {
		ch.collect()
	}
}

// collect takes the deliveries that are here.
func (ch *consumingChan) collect() {
	var got []*message
	for {
		ch.c.mu.Lock()
		m := ch.c.pick(ch.id, named("basic.deliver"))
		ch.c.mu.Unlock()
		if m == nil {
			break
		}
		got = append(got, m)
	}
	for _, m := range got {
		ch.c.note(ch.id, m, nil)
		if tag, _ := m.fields["consumer-tag"].(string); !ch.free[tag] {
			ch.held = append(ch.held, m)
		}
	}
}
