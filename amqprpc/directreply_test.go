package amqprpc_test

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
)

// directAddress is the parts of a direct reply-to address.
type directAddress struct {
	node                 string
	id, serial, creation uint32
	key                  []byte
}

const directPrefix = "amq.rabbitmq.reply-to."

func parseDirectAddress(t *testing.T, s string) directAddress {
	t.Helper()
	pid, key, ok := strings.Cut(strings.TrimPrefix(s, directPrefix), ".")
	require.True(t, ok, s)
	b, err := base64.StdEncoding.DecodeString(pid)
	require.NoError(t, err)
	require.Equal(t, []byte{131, 88}, b[:2], "a process of the new format")
	n := 4 // where the name begins, of a short UTF-8 atom
	length := int(b[3])
	if b[2] == 118 { // or of a long one
		n, length = 5, int(b[3])<<8+int(b[4])
	}
	k, err := base64.StdEncoding.DecodeString(key)
	require.NoError(t, err)
	name := string(b[n : n+length])
	n += length
	return directAddress{
		node: name, id: binary.BigEndian.Uint32(b[n:]), serial: binary.BigEndian.Uint32(b[n+4:]),
		creation: binary.BigEndian.Uint32(b[n+8:]), key: k,
	}
}

// encode makes an address with a process of the format 88 (new) or 103, whose node has
// a name of the format 119, 115, 118 or 100.
func (a directAddress) encode(pid, atom byte) string {
	b := []byte{131, pid, atom}
	if atom == 119 || atom == 115 {
		b = append(b, byte(len(a.node)))
	} else {
		b = binary.BigEndian.AppendUint16(b, uint16(len(a.node)))
	}
	b = append(b, a.node...)
	b = binary.BigEndian.AppendUint32(b, a.id)
	b = binary.BigEndian.AppendUint32(b, a.serial)
	if pid == 88 {
		b = binary.BigEndian.AppendUint32(b, a.creation)
	} else {
		b = append(b, byte(a.creation))
	}
	return directPrefix + base64.StdEncoding.EncodeToString(b) + "." + base64.StdEncoding.EncodeToString(a.key)
}

// shapes are well-formed addresses that lead nowhere, made of a good one.
func (a directAddress) shapes() map[string]string {
	all := make(map[string]string)
	for name, f := range map[string]func(*directAddress){
		"another node":          func(a *directAddress) { a.node = "reply@123" },
		"a node without a name": func(a *directAddress) { a.node = "" },
		"a node without an at":  func(a *directAddress) { a.node = "x" },
		"a long node":           func(a *directAddress) { a.node = "reply@" + strings.Repeat("9", 80) },
		"a node beyond numbers": func(a *directAddress) { a.node = "reply@99999999999999999999" },
		"a node of no number":   func(a *directAddress) { a.node = "reply@x" },
		"a node not in UTF-8":   func(a *directAddress) { a.node = "\xff\xfe" },
		"a process far off":     func(a *directAddress) { a.id = 1 << 27 },
		"the last process":      func(a *directAddress) { a.id = 1<<32 - 1 },
		"no process":            func(a *directAddress) { a.id = 0 },
		"the next process":      func(a *directAddress) { a.id++ },
		"another serial":        func(a *directAddress) { a.serial = 1<<32 - 1 },
		"another creation":      func(a *directAddress) { a.creation ^= 1<<32 - 1 },
		"creation zero":         func(a *directAddress) { a.creation = 0 },
		"another key":           func(a *directAddress) { a.key = make([]byte, 16) },
	} {
		b := a
		f(&b)
		all[name] = b.encode(88, 119)
	}
	for _, pid := range []byte{88, 103} {
		for _, atom := range []byte{119, 115, 118, 100} {
			all[fmt.Sprintf("format %d of %d", pid, atom)] = a.encode(pid, atom)
		}
	}
	return all
}

// worst are shapes that cost a connection on one version of RabbitMQ or another.
var worst = []string{"another node", "a process far off", "a node not in UTF-8"}

// A request whose reply goes to a direct address that the broker cannot resolve costs
// its server one connection at most. Each runs once, and nothing of it is left. An
// honest call beside it has its answer after a reconnect at most.
func TestAttackWithDirectAddresses(t *testing.T) {
	t.Parallel()
	type kind struct {
		opts    []amqprpc.HandlerOption
		headers amqp.Table
		body    string
	}
	for name, k := range map[string]kind{
		"classic":      {body: "1"},
		"quorum":       {body: "1", opts: []amqprpc.HandlerOption{amqprpc.WithQueue(amqprpc.Queue{Type: "quorum"})}},
		"at most once": {body: "1", opts: []amqprpc.HandlerOption{amqprpc.WithAtMostOnce()}},
		"heartbeats":   {body: "1", headers: amqp.Table{"rpc-heartbeat": int32(1)}},
		"heartbeats at most once": {body: "1", headers: amqp.Table{"rpc-heartbeat": int32(1)},
			opts: []amqprpc.HandlerOption{amqprpc.WithAtMostOnce()}},
		"batches":   {body: "1", headers: amqp.Table{"rpc-batches": true}},
		"refused":   {body: "no integer"},
		"unlimited": {body: "1", opts: []amqprpc.HandlerOption{amqprpc.WithMaxDeliveries(0)}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url, queue := brokerURL(t), queueName(t)
			var runs counting
			addresses := make(chan string, 1)
			release := make(chan struct{})
			srv, stop := serve(t, url, func(s *amqprpc.Server) {
				amqprpc.Register(s, queue, func(ctx context.Context, n int) (int, error) {
					r, _ := amqprpc.RequestFromContext(ctx)
					runs.ran(r.ID())
					return n, nil
				}, k.opts...)
				amqprpc.Register(s, queue+".direct", func(ctx context.Context, _ int) (int, error) {
					r, _ := amqprpc.RequestFromContext(ctx)
					addresses <- r.Delivery().ReplyTo
					return 0, nil
				})
				amqprpc.Register(s, queue+".honest", square)
				amqprpc.Register(s, queue+".slow", func(_ context.Context, n int) (int, error) {
					<-release
					return n, nil
				}, amqprpc.WithMaxDeliveries(0))
			})
			direct := dial(t, url, amqprpc.WithReplyMode(amqprpc.ReplyDirect))
			_, err := amqprpc.Call[int, int](testContext(t), direct, queue+".direct", 0)
			require.NoError(t, err)
			shapes := parseDirectAddress(t, <-addresses).shapes()
			if name != "classic" {
				maps.DeleteFunc(shapes, func(shape, _ string) bool { return !slices.Contains(worst, shape) })
			}

			honest := dial(t, url)
			slow := amqprpc.Go[int, int](context.Background(), honest, queue+".slow", 7, amqprpc.WithTimeout(10*patience))
			p := newPeer(t, url)
			sent := int64(0)
			for shape, to := range shapes {
				before := srv.Stats()
				p.send(queue, amqp.Publishing{ReplyTo: to, Body: []byte(k.body), MessageId: shape, Headers: k.headers})
				sent++
				eventually(t, shape+" is answered", func() bool { return srv.Stats().Handled > before.Handled })
				got, err := amqprpc.Call[int, int](testContext(t), honest, queue+".honest", 3)
				require.NoError(t, err, shape)
				require.Equal(t, 9, got)
				// The connection may end after the honest answer.
				require.LessOrEqual(t, srv.Stats().Reconnects, sent, shape)
			}
			close(release)
			got, err := slow.Await(testContext(t))
			require.NoError(t, err)
			require.Equal(t, 7, got)
			if err := stop(); err != nil { // the last attack may cost the connection only now
				require.ErrorContains(t, err, "the connection was lost while draining: 0 requests did not get an answer")
			}
			for shape := range shapes {
				if k.body == "1" {
					require.Equal(t, 2, runs.ran(shape), "%s ran once", shape)
				}
			}
			q, err := p.ch.QueueDeclarePassive(queue, true, false, false, false, nil)
			require.NoError(t, err)
			require.Zero(t, q.Messages)
			t.Logf("%d connections lost for %d requests", srv.Stats().Reconnects, sent)
		})
	}
}
