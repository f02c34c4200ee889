package faultsuite

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// mailboxes are the queues in which messages of streams wait.
const mailboxes = `^amqprpc\.(instance|reply)\.`

// Policies make mailboxes and reply queues drop messages. Streams go on or end with an error,
// and lose, double and swap nothing.
func testPoliciesThatDrop(t *testing.T) {
	for name, definition := range map[string]string{
		"max-length":  `{"max-length": 2}`,
		"message-ttl": `{"message-ttl": 0}`,
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			rec := NewRecorder()
			rec.Watch()
			queues := streamQueues("policy."+name+".", everyStream)
			fleet := NewFleet(rec, "server", node.URL(), queues)
			require.NoError(t, fleet.Start())
			defer fleet.Stop()
			awaitQueues(t, node.URL(), queues, 1)
			_, err := node.Ctl(ctx, "set_policy", "drops", mailboxes, definition, "--apply-to", "queues")
			require.NoError(t, err)
			rec.Note("a policy drops messages")
			run, stop := context.WithTimeout(ctx, 3*time.Second)
			defer stop()
			w := &Workload{
				Rec: rec, Seed: 1, URL: node.URL(), Queues: queues, Clients: 4, Callers: 4,
				Timeout: 4 * time.Second, Work: 300 * time.Millisecond, Pause: 20 * time.Millisecond, Pad: 100 << 10,
			}
			require.NoError(t, w.Run(run))
			_, err = node.Ctl(ctx, "clear_policy", "drops")
			require.NoError(t, err)
			fleet.Stop()
			rec.StopWatching()
			verdict(t, rec, 1)
		})
	}
}
