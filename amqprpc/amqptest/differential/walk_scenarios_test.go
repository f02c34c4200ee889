package differential

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// recordedWalks is how many random walks have transcripts in testdata.
const recordedWalks = 24

// walkScenarios are scripts that nobody has thought of: drawn at random, each the same
// for ever by its seed.
func walkScenarios(first, last int) group {
	var scenarios []scenario
	for seed := first; seed <= last; seed++ {
		scenarios = append(scenarios, scenario{fmt.Sprintf("%02d", seed), func(s *S) { newWalk(s, seed).run(50) }})
	}
	return group{name: "walk", scenarios: scenarios}
}

// walk goes about two queues on one channel, with a third for the dead letters of the
// first. Every step is one whose effect RabbitMQ orders: it fetches instead of consuming,
// and a publish is confirmed before the next step, but for within a transaction.
type walk struct {
	s      *S
	rng    *rand.Rand
	ch     *Chan
	tx     bool
	queues []string
	held   []*message // fetched and, as far as the walk knows, unacknowledged
	count  int        // of messages published
}

func newWalk(s *S, seed int) *walk {
	w := &walk{s: s, rng: rand.New(rand.NewPCG(uint64(seed), 0)), ch: s.Dial().Channel()}
	w.tx = seed%4 == 0
	dead := w.ch.Queue(s.N("dead"))
	args := dlx(dead)
	switch seed % 3 {
	case 1:
		args["x-max-priority"] = 3
	case 2:
		if !w.tx { // within one, what overflows when is up to chance
			args["x-max-length"] = 4
		}
	}
	w.queues = []string{w.ch.Queue(s.N("a"), args), w.ch.Queue(s.N("b"))}
	w.ch.Exchange(s.N("x"), "fanout")
	for _, q := range w.queues {
		w.ch.Bind(q, s.N("x"), "")
	}
	if w.tx {
		w.ch.Call("tx.select", nil)
	} else {
		w.ch.Confirm()
	}
	return w
}

func (w *walk) run(steps int) {
	for range steps {
		w.step()
		if w.ch.closed || w.ch.c.closed {
			return
		}
	}
	if w.tx {
		w.ch.Call("tx.commit", nil)
	}
	w.ch.Call("channel.close", M{"reply-code": 200})
	w.ch = w.ch.c.Channel()
	for _, q := range append(w.queues, w.s.N("dead")) {
		w.ch.Count(q)
		w.ch.GetAll(q)
	}
}

func (w *walk) step() {
	queue := w.queues[w.rng.IntN(2)]
	switch n := w.rng.IntN(100); {
	case n < 35:
		w.publish(queue)
	case n < 60:
		if m := w.ch.Get(queue); m != nil && m.method.name == "basic.get-ok" {
			w.held = append(w.held, m)
		}
	case n < 65:
		w.ch.Call("basic.get", M{"queue": queue, "no-ack": true})
	case n < 72:
		w.settle("basic.ack", false, M{})
	case n < 76:
		w.settle("basic.ack", true, M{})
	case n < 82:
		w.settle("basic.reject", false, M{"requeue": w.rng.IntN(2) == 0})
	case n < 87:
		w.settle("basic.nack", false, M{"requeue": w.rng.IntN(2) == 0})
	case n < 91:
		w.settle("basic.nack", true, M{"requeue": w.rng.IntN(2) == 0})
	case n < 93:
		w.ch.Call("basic.recover", M{"requeue": true})
		w.held = nil
	case n < 94:
		w.ch.Call("queue.purge", M{"queue": queue})
	case w.tx && n < 97:
		w.ch.Call("tx.commit", nil)
	case w.tx:
		// What was acknowledged is held again: only the broker knows what exactly.
		w.ch.Call("tx.rollback", nil)
		w.ch.Call("basic.recover", M{"requeue": true})
		w.ch.Call("tx.commit", nil)
		w.held = nil
	default:
		w.ch.Count(queue)
	}
}

func (w *walk) publish(queue string) {
	w.count++
	args, props := M{"routing-key": queue}, M{}
	switch w.rng.IntN(6) {
	case 0:
		args = M{"exchange": w.s.N("x")}
	case 1:
		args["mandatory"] = true
	case 2:
		props["priority"] = w.rng.IntN(6)
	case 3:
		props["headers"] = Table{"n": w.count}
	}
	if props["priority"] == nil && w.rng.IntN(2) == 0 {
		props["priority"] = w.rng.IntN(4)
	}
	w.ch.PublishWith(args, fmt.Sprint(w.count), props)
	if !w.tx {
		w.ch.Confirms(1)
	}
}

// settle acknowledges or rejects a message that is held, or all up to it.
func (w *walk) settle(method string, multiple bool, args M) {
	if len(w.held) == 0 {
		return
	}
	i := w.rng.IntN(len(w.held))
	args["delivery-tag"] = tagOf(w.held[i])
	if multiple {
		args["multiple"] = true
		w.held = w.held[i+1:]
	} else {
		w.held = append(w.held[:i:i], w.held[i+1:]...)
	}
	w.ch.Send(method, args)
}

// TestFurtherWalks takes as many new walks as -walks says, on the node and on amqptest.
func TestFurtherWalks(t *testing.T) {
	t.Parallel()
	if shared.walks == 0 || shared.update {
		return
	}
	real := realBroker(t)
	require.NotNil(t, real, "walks without a transcript need a node to compare with")
	release := shared.node.Version()
	for _, g := range []group{
		walkScenarios(recordedWalks+1, recordedWalks+shared.walks),
		consumerWalkScenarios(recordedConsumerWalks+1, recordedConsumerWalks+shared.walks),
	} {
		for _, sc := range g.scenarios {
			t.Run(g.name+"-"+sc.name, func(t *testing.T) {
				t.Parallel()
				want, err := runScenario(*real, g.name, sc)
				require.NoError(t, err)
				again, err := runScenario(*real, g.name, sc)
				require.NoError(t, err)
				requireSame(t, "RabbitMQ a second time", "RabbitMQ", again, want)
				got, err := runScenario(inProcess(t, release, g), g.name, sc)
				require.NoError(t, err)
				requireSame(t, "amqptest", "RabbitMQ "+release, got, want)
			})
		}
	}
}
