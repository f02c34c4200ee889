package contender

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/vmihailenco/msgpack/v5"
)

// payload is the message of the contenders that encode their own messages.
type payload struct {
	contentType string
	marshal     func(v any) ([]byte, error)
	unmarshal   func(data []byte, v any) error
	text        string // the message, if it is not an int
	raw         []byte // the same message for the codec raw
}

var errWrongAnswer = errors.New("the answer is not what was sent")

func newPayload(o Options) (*payload, error) {
	p := &payload{text: strings.Repeat("x", o.Payload)}
	switch o.Codec {
	case "", "json":
		p.contentType, p.marshal, p.unmarshal = "application/json", json.Marshal, json.Unmarshal
	case "msgpack":
		p.contentType, p.marshal, p.unmarshal = "application/msgpack", msgpack.Marshal, msgpack.Unmarshal
	case "raw":
		if o.Payload == 0 {
			return nil, errors.New("the codec raw wants a payload of bytes")
		}
		p.contentType, p.raw = "application/octet-stream", []byte(p.text)
	default:
		return nil, fmt.Errorf("the codec %q is none of json, msgpack and raw", o.Codec)
	}
	return p, nil
}

// encode returns the body of a request.
func (p *payload) encode(n int) ([]byte, error) {
	switch {
	case p.raw != nil:
		return p.raw, nil
	case p.text != "":
		return p.marshal(p.text)
	default:
		return p.marshal(n)
	}
}

// check decodes and checks the body of a reply.
func (p *payload) check(body []byte, n int) error {
	if p.raw != nil {
		if len(body) != len(p.raw) {
			return errWrongAnswer
		}
		return nil
	}
	if p.text != "" {
		var got string
		if err := p.unmarshal(body, &got); err != nil {
			return err
		}
		if len(got) != len(p.text) {
			return errWrongAnswer
		}
		return nil
	}
	var got int
	if err := p.unmarshal(body, &got); err != nil {
		return err
	}
	if got != n {
		return errWrongAnswer
	}
	return nil
}

// echo decodes the body of a request and encodes the same message.
func (p *payload) echo(body []byte) ([]byte, error) {
	switch {
	case p.raw != nil:
		return body, nil
	case p.text != "":
		var s string
		if err := p.unmarshal(body, &s); err != nil {
			return nil, err
		}
		return p.marshal(s)
	default:
		var n int
		if err := p.unmarshal(body, &n); err != nil {
			return nil, err
		}
		return p.marshal(n)
	}
}

func (o Options) deliveryMode() uint8 {
	if o.Persistent {
		return amqp.Persistent
	}
	return amqp.Transient
}

// declare declares the request queue as durable, like the framework does.
func (o Options) declare(ch *amqp.Channel) error {
	var args amqp.Table
	if o.QueueType != "" {
		args = amqp.Table{"x-queue-type": o.QueueType}
	}
	for _, q := range o.served() {
		if _, err := ch.QueueDeclare(q, true, false, false, false, args); err != nil {
			return fmt.Errorf("declare %s: %w", q, err)
		}
	}
	return nil
}

// served returns the queues that a server serves.
func (o Options) served() []string {
	all := o.queues()
	if o.Parts <= 1 {
		return all
	}
	n := len(all) / o.Parts
	return all[o.Part*n : (o.Part+1)*n]
}

// Declare declares the request queue for a run without a server.
func Declare(o Options) error {
	conn, err := amqp.Dial(o.URL)
	if err != nil {
		return fmt.Errorf("declare %s: %w", o.Queue, err)
	}
	ch, err := conn.Channel()
	if err == nil {
		err = o.declare(ch)
	}
	return errors.Join(err, conn.Close())
}

// Delete deletes a run's request queues.
func Delete(o Options) error {
	conn, err := amqp.Dial(o.URL)
	if err != nil {
		return fmt.Errorf("delete %s: %w", o.Queue, err)
	}
	ch, err := conn.Channel()
	for _, q := range append(o.queues(), o.streamQueues()...) {
		if err == nil {
			_, err = ch.QueueDelete(q, false, false, false)
		}
	}
	return errors.Join(err, conn.Close())
}

// queues returns the names of the request queues.
func (o Options) queues() []string {
	if o.Queues <= 1 {
		return []string{o.Queue}
	}
	names := make([]string, o.Queues)
	for i := range names {
		names[i] = fmt.Sprintf("%s.%d", o.Queue, i)
	}
	return names
}
