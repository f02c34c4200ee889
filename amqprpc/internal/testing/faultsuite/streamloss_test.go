package faultsuite

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
)

// Streams outlive what happens to connections, and lose, double and swap nothing.
func TestStreamsSurvive(t *testing.T) {
	t.Parallel()
	cut := func(ss *streamStage, name string) {
		if c := ss.broker.Connection(name); c != nil {
			c.Cut()
		}
	}
	harms := map[string]func(ss *streamStage, rng *rand.Rand){
		"nothing":          func(*streamStage, *rand.Rand) {},
		"client cut":       func(ss *streamStage, _ *rand.Rand) { cut(ss, "client") },
		"server cut":       func(ss *streamStage, _ *rand.Rand) { cut(ss, "streams") },
		"both cut":         func(ss *streamStage, _ *rand.Rand) { ss.broker.CutConnections() },
		"broker restarted": func(ss *streamStage, _ *rand.Rand) { ss.broker.Restart() },
		"client half-open": func(ss *streamStage, _ *rand.Rand) {
			if c := ss.broker.Connection("client"); c != nil {
				c.HalfOpen(amqptest.BothWays)
			}
		},
		"publishing blocked": func(ss *streamStage, _ *rand.Rand) {
			ss.broker.BlockPublishers("")
			time.Sleep(50 * time.Millisecond)
			ss.broker.UnblockPublishers()
		},
		"channels closed": func(ss *streamStage, rng *rand.Rand) {
			for _, name := range []string{"client", "streams"} {
				if c := ss.broker.Connection(name); c != nil {
					if channels := c.Info().Channels; len(channels) > 0 {
						c.CloseChannel(channels[rng.IntN(len(channels))].Number, 406, "a fault")
					}
				}
			}
		},
	}
	for name, harm := range harms {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onStreamStage(t, nil, func(t *testing.T, ss *streamStage) {
				done := make(chan struct{})
				var harming sync.WaitGroup
				harming.Go(func() {
					rng := rand.New(rand.NewPCG(1, 2))
					for {
						select {
						case <-done:
							return
						case <-time.After(time.Duration(5+rng.IntN(50)) * time.Millisecond):
							harm(ss, rng)
						}
					}
				})
				ss.streams(50_000)
				close(done)
				harming.Wait()
			})
		})
	}
}

// A broker that drops messages of streams, doubles or delays them costs time and no item.
func TestStreamsSurviveLossOfMessages(t *testing.T) {
	t.Parallel()
	for name, fate := range map[string]amqptest.Fate{
		"dropped": {Drop: true},
		"doubled": {Copies: 1},
		"late":    {Delay: 20 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onStreamStage(t, nil, func(t *testing.T, ss *streamStage) {
				var n atomic.Int64
				ss.broker.Tamper(func(m amqptest.Message) amqptest.Fate {
					if m.ContentType == "application/vnd.amqprpc.stream" && n.Add(1)%5 == 0 {
						return fate
					}
					return amqptest.Fate{}
				})
				ss.streams(20_000)
			})
		})
	}
}

// A stream whose accept is lost begins when its server is heard for the first time.
func TestStreamWhoseAcceptIsLost(t *testing.T) {
	t.Parallel()
	onStreamStage(t, nil, func(t *testing.T, ss *streamStage) {
		var lost atomic.Bool
		ss.broker.Tamper(func(m amqptest.Message) amqptest.Fate {
			first := m.ContentType == "application/vnd.amqprpc.stream" && lost.CompareAndSwap(false, true)
			return amqptest.Fate{Drop: first}
		})
		next := 0
		for got, err := range stageCount.Call(t.Context(), ss.client, 1000) {
			require.NoError(t, err)
			require.Equal(t, next, got)
			next++
		}
		require.Equal(t, 1000, next)
		require.True(t, lost.Load())
	})
}
