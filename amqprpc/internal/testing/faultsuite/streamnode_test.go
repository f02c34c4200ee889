package faultsuite

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/testing/faultproxy"
)

// testStreams runs streams of all kinds, while both connections are cut again and again, and
// while the node is killed.
func testStreams(t *testing.T) {
	for name, harm := range map[string]func(t *testing.T, cut func()){
		"cut": func(_ *testing.T, cut func()) { cut() },
		"killed": func(t *testing.T, _ func()) {
			assert.NoError(t, node.Kill())
			assert.NoError(t, node.Restart(t.Context()))
		},
	} {
		t.Run(name, func(t *testing.T) {
			proxies := make([]*faultproxy.Proxy, 2)
			urls := make([]string, 2)
			for i := range proxies {
				var err error
				proxies[i], err = faultproxy.New(fmt.Sprint("127.0.0.1:", node.Port()))
				require.NoError(t, err)
				defer proxies[i].Close()
				urls[i], err = proxies[i].URL(node.URL())
				require.NoError(t, err)
			}
			s := &streamStage{stage: &stage{t: t}, ends: make(chan error, 1000)}
			s.server = amqprpc.NewServer(urls[0], amqprpc.WithLogger(nil))
			s.register()
			defer s.start(s.server)()
			cli, err := amqprpc.Dial(t.Context(), urls[1], amqprpc.WithLogger(nil))
			require.NoError(t, err)
			defer cli.Close()
			s.client = cli
			if name != "cut" {
				require.NoError(t, node.Sync(t.Context())) // a node that is killed forgets what was just declared
			}
			ctx, cancel := context.WithCancel(t.Context())
			harmed := make(chan struct{})
			go func() {
				defer close(harmed)
				for i := 0; ctx.Err() == nil; i++ {
					pause(ctx, time.Second)
					harm(t, func() { proxies[(i+1)%2].Cut(faultproxy.RST) })
					if name != "cut" {
						return // once is enough, and takes a while
					}
				}
			}()
			s.streams(150_000)
			cancel()
			<-harmed
			require.Positive(t, cli.Stats().Reconnects)
		})
	}
}
