package messaging

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/protocol"
	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/transport"
)

// markerPatience bounds the waits for a marker while a connection is set up.
const markerPatience = time.Second

// marks says what is known of the markers of a mailbox's queue. A marker is a
// transient message that the mailbox sends to itself and does not acknowledge. When
// the connection is lost, the broker redelivers it on the next one. When the broker
// has restarted, the marker is gone, and so are all transient requests.
type marks struct {
	secret string       // begins the markers' ids, since peers can write to the queue; "" where there are none
	last   int64        // the number of the latest marker
	held   atomic.Int64 // the number of the marker that is in the queue for certain; 0 is none
}

// number returns the number of a marker; 0 for another message.
func (m *marks) number(msg *Message) int64 {
	n, _, ok := protocol.ParseCorrelationID(m.secret, msg.Properties.CorrelationID)
	if m.secret == "" || !ok {
		return 0
	}
	return int64(n)
}

// marker holds the marker of a queue on a channel of its own, whose prefetch is one.
// While it holds the marker the broker sends it nothing else. Until then it takes
// messages as the mailbox does.
type marker struct {
	mailbox *Mailbox
	ch      *Channel
	news    func() // is called when something came, or the consumer has ended; it does not wait
	came    chan markerDelivery
	ended   atomic.Bool    // the broker has cancelled the consumer or closed the channel
	holds   markerDelivery // owned by whoever sets the connection up, then by the keeper
}

// markerDelivery is a message that came on a marker's channel.
type markerDelivery struct {
	tag    uint64
	number int64 // 0 for a message that is no marker
}

// openMarker consumes the mailbox's queue for the marker. Its priority is over that
// of the mailbox's consumer.
func (m *Mailbox) openMarker(ctx context.Context, conn *Conn, queue string, news func()) (_ *marker, err error) {
	k := &marker{mailbox: m, news: news, came: make(chan markerDelivery, 1)}
	if k.ch, err = conn.Open(ctx, k); err != nil {
		return nil, err
	}
	if err = k.ch.Prefetch(ctx, 1); err == nil {
		err = k.ch.Consume(ctx, queue, protocol.ConsumerTag, false, m.priority()+1)
	}
	if err != nil {
		k.ch.Close(ctx)
		return nil, fmt.Errorf("consume the marker of %s: %w", queue, err)
	}
	return k, nil
}

// gone reports whether the broker has certainly restarted since the marker was held:
// the marker is not among the messages that the queue had when no consumer was left,
// and so nobody had any. A predecessor of this connection that the broker still
// believes in may have the marker.
func (k *marker) gone(ctx context.Context, messages, consumers int) bool {
	held := k.mailbox.marks.held.Load()
	if held == 0 || consumers > 0 {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, markerPatience)
	defer cancel()
	for range messages {
		select {
		case d := <-k.came:
			if k.take(d); d.number == held {
				return false
			}
			if d.number > 0 {
				return true // a later one: the marker would have come first
			}
		case <-ctx.Done():
			return false
		}
	}
	return true
}

// place waits until the marker is held, for a short time.
func (k *marker) place(ctx context.Context) {
	if k.holds.tag > 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, markerPatience)
	defer cancel()
	k.publish()
	for k.holds.tag == 0 {
		select {
		case d := <-k.came:
			k.take(d)
		case <-ctx.Done():
			return
		}
	}
}

// take holds a marker, and acknowledges another message.
func (k *marker) take(d markerDelivery) {
	if d.number > 0 && k.holds.tag == 0 {
		k.holds = d
		k.mailbox.marks.held.Store(d.number)
		return
	}
	k.ch.Write(k.ch.AppendAck(nil, d.tag, false)) // an error is the channel's end
}

// renew has the broker deliver the marker again, before it takes the consumer for
// stuck.
func (k *marker) renew() {
	tag := k.holds.tag
	k.holds = markerDelivery{}
	k.ch.Write(k.ch.AppendRequeue(nil, tag))
}

// publish sends a new marker.
func (k *marker) publish() {
	m := &k.mailbox.marks
	m.held.Store(0)
	m.last++
	r := protocol.Reply{CorrelationID: protocol.CorrelationID(m.secret, uint64(m.last), 1)}
	k.ch.Write(k.ch.AppendPublish(nil, &Publishing{Key: k.mailbox.address, Properties: r.Append(nil)}))
}

// Deliver implements transport.Receiver.
func (k *marker) Deliver(m *Message) {
	n := k.mailbox.marks.number(m)
	if n == 0 {
		k.mailbox.Receive(m)
	}
	select {
	case k.came <- markerDelivery{m.Tag, n}:
	default: // the prefetch is one, so that there is room
	}
	k.news()
}

// Cancelled implements transport.Receiver.
func (k *marker) Cancelled(string) { k.end() }

// Returned implements transport.Receiver.
func (k *marker) Returned(*Message) {}

// Confirmed implements transport.Receiver.
func (k *marker) Confirmed(uint64, bool, bool) {}

// Closed implements transport.Receiver.
func (k *marker) Closed(*transport.Exception) { k.end() }

func (k *marker) end() {
	k.ended.Store(true)
	k.news()
}
