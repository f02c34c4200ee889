package faultsuite

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"net"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
)

// besiege is a hostile peer: until ctx is done, it sends requests that no handler may
// run, with addresses, headers and properties at their limits. They are short, so that
// what a frozen connection holds fits into its buffer.
func besiege(ctx context.Context, broker *amqptest.Broker, seed uint64, queues []Queue) {
	rng := rand.New(rand.NewPCG(seed, 666))
	for ctx.Err() == nil {
		conn, err := amqp.DialConfig(broker.URL(), amqp.Config{Dial: func(network, addr string) (net.Conn, error) {
			raw, err := broker.Dial(network, addr)
			if err == nil {
				context.AfterFunc(ctx, func() { raw.Close() }) // the driver may hang in a write
			}
			return raw, err
		}})
		if err != nil {
			pause(ctx, time.Second)
			continue
		}
		ch, err := conn.Channel()
		for err == nil && ctx.Err() == nil {
			err = ch.Publish("", queues[rng.IntN(len(queues))].Name, false, false, hostile(rng))
			pause(ctx, upTo(rng, 2*time.Second))
		}
		conn.Close()
		pause(ctx, time.Second)
	}
}

// hostile draws a request.
func hostile(rng *rand.Rand) amqp.Publishing {
	one := func(values ...any) any { return values[rng.IntN(len(values))] }
	m := amqp.Publishing{
		ReplyTo:       one("", "amq.gen-nobody", "amqprpc.reply.nobody", "amq.rabbitmq.reply-to.x", nowhere(rng), nowhere(rng)).(string),
		CorrelationId: one("", "x", "\xff").(string),
		ContentType:   one("", "application/json", "text/csv", "application/vnd.amqprpc.replies").(string),
		Expiration:    one("", "0", "1", "315360000000").(string),
		Body:          one([]byte(nil), []byte("{"), make([]byte, 500)).([]byte),
		Headers:       amqp.Table{},
	}
	for _, name := range []string{"rpc-version", "rpc-attempt", "rpc-deadline", "rpc-heartbeat", "rpc-deliveries", "rpc-batches", "x-delivery-count"} {
		if rng.IntN(4) == 0 {
			m.Headers[name] = one(int64(math.MinInt64), int64(-1), int64(0), int64(1), int64(math.MaxInt64), true, "x", 1.5, make([]any, 50))
		}
	}
	return m
}

// nowhere draws a well-formed address of direct reply-to that leads nowhere.
func nowhere(rng *rand.Rand) string {
	node := []string{"reply@123", "x", "", "\xff"}[rng.IntN(4)]
	pid := append([]byte{131, 88, 119, byte(len(node))}, node...)
	for range 3 {
		pid = binary.BigEndian.AppendUint32(pid, rng.Uint32())
	}
	return "amq.rabbitmq.reply-to." + base64.StdEncoding.EncodeToString(pid) + "." + base64.StdEncoding.EncodeToString(make([]byte, 16))
}
