package doctor

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bbebcec1/amqprpc-go/amqprpc/describe"
)

// Broker looks at the broker over a connection of its own: its version, and the queues that
// servers name. The error texts never have the password.
func Broker(ctx context.Context, url string, infos []describe.Info) []Finding {
	ctx, stop := limited(ctx)
	defer stop()
	conn, err := amqp.DialConfig(url, amqp.Config{
		Heartbeat:  10 * time.Second,
		Properties: amqp.Table{"connection_name": "amqprpc doctor"},
		Dial: func(network, addr string) (net.Conn, error) {
			c, err := (&net.Dialer{}).DialContext(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			return c, c.SetDeadline(time.Now().Add(within)) // of the handshake; the driver sets later ones
		},
	})
	if err != nil {
		return []Finding{{Check: "broker", Result: Unknown, Text: "there is no second connection to look at the broker: " + reason(err), Advice: "try again; the broker may limit connections"}}
	}
	defer conn.Close()
	unwatch := context.AfterFunc(ctx, func() { conn.CloseDeadline(time.Now()) })
	defer unwatch()
	found := []Finding{product(conn.Properties)}
	return append(found, queues(ctx, conn, infos)...)
}

// reason returns an error without what may be a URL.
func reason(err error) string {
	if e, ok := errors.AsType[*amqp.Error](err); ok {
		return e.Reason
	}
	if _, ok := errors.AsType[net.Error](err); ok {
		return err.Error()
	}
	return "the handshake has failed"
}

// product says what the broker is.
func product(p amqp.Table) Finding {
	f := Finding{Check: "broker", Result: OK}
	name, _ := p["product"].(string)
	version, _ := p["version"].(string)
	f.Text = fmt.Sprintf("%s %s", name, version)
	if cluster, ok := p["cluster_name"].(string); ok {
		f.Text += ", cluster " + cluster
	}
	var major, minor int
	switch name {
	case "RabbitMQ":
		if _, err := fmt.Sscanf(version, "%d.%d", &major, &minor); err == nil && (major < 3 || major == 3 && minor < 10) {
			f.Result, f.Advice = Warning, "amqprpc is tested with RabbitMQ 3.10 and later: upgrade the broker"
		}
	case "amqptest": // the broker of this module, for tests
	default:
		f.Result, f.Advice = Warning, "amqprpc is made for RabbitMQ: other brokers may lack what it uses"
	}
	return f
}

// maxQueues is how many queues are looked at.
const maxQueues = 500

// manyWaiting is how many waiting messages are worth a word.
const manyWaiting = 1000

// queues says which queues that servers name do not exist or have no consumers.
func queues(ctx context.Context, conn *amqp.Connection, infos []describe.Info) []Finding {
	names := make(map[string]bool)
	for _, i := range infos {
		for _, m := range i.Methods {
			names[m.Queue] = true
		}
	}
	var found []Finding
	good := 0
	sorted := slices.Sorted(maps.Keys(names))
	for i, name := range sorted {
		if i == maxQueues || ctx.Err() != nil {
			found = append(found, Finding{Check: "queues", Result: Unknown, Text: fmt.Sprintf("%d more queues were not looked at", len(sorted)-i)})
			break
		}
		if f, ok := queue(conn, name); ok {
			good++
		} else {
			found = append(found, f)
		}
	}
	if good > 0 && len(found) == 0 {
		found = append(found, Finding{Check: "queues", Result: OK, Text: fmt.Sprintf("queues that exist and have consumers: all %d", good)})
	}
	return atMost(found, "queues")
}

// queue looks at one queue. A channel is lost with each failure, so that each has its own.
func queue(conn *amqp.Connection, name string) (f Finding, good bool) {
	f = Finding{Check: "queues", Result: Problem}
	if name == "" || len(name) > 255 {
		f.Text = fmt.Sprintf("%.300q cannot be the name of a queue", name)
		return f, false
	}
	ch, err := conn.Channel()
	if err != nil {
		f.Result, f.Text = Unknown, fmt.Sprintf("queue %s could not be looked at: %s", name, reason(err))
		return f, false
	}
	defer ch.Close()
	q, err := ch.QueueDeclarePassive(name, false, false, false, false, nil)
	var refused *amqp.Error
	switch {
	case errors.As(err, &refused) && refused.Code == amqp.NotFound:
		f.Text = fmt.Sprintf("a server says that it serves queue %s, and the queue does not exist", name)
		f.Advice = "somebody has deleted the queue: restart the server, or wait until it declares the queue again"
	case errors.As(err, &refused) && refused.Code == amqp.AccessRefused:
		f.Result, f.Text = Unknown, fmt.Sprintf("this user may not look at queue %s", name)
		f.Advice = "RabbitMQ 4.3 requires configure on the queue for that. Calls do not need it"
	case err != nil:
		f.Result, f.Text = Unknown, fmt.Sprintf("queue %s could not be looked at: %s", name, reason(err))
	case q.Consumers == 0:
		f.Text = fmt.Sprintf("queue %s has no consumer, and %d messages wait", name, q.Messages)
		f.Advice = "start a server of this queue, and read the log of those that should serve it"
	case q.Messages >= manyWaiting:
		f.Result, f.Text = Warning, fmt.Sprintf("%d messages wait in queue %s", q.Messages, name)
		f.Advice = "add servers or raise WithConcurrency; `amqprpc top` shows how long handlers take"
	default:
		return f, true
	}
	return f, false
}
