package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
)

// shop is the caller. The call ID is the order's name, so a repeated call for an order has
// the same ID.
type shop struct {
	out  io.Writer
	cli  *amqprpc.Client
	bank *bank
	line *wire
	url  string
	run  string // makes the order names of each run unique
}

func (s *shop) title(text string) { fmt.Fprintf(s.out, "\n%s\n", text) }

// pay asks the bank to charge for an order, and prints the result.
func (s *shop) pay(ctx context.Context, order string, p Payment) {
	var reply amqprpc.Header
	r, err := Charge.Call(ctx, s.cli, p, amqprpc.WithCallID(s.run+"/"+order), amqprpc.WithReplyHeader(&reply))
	again := ""
	if reply["replayed"] == "true" {
		again = ", as was answered before"
	}
	switch {
	case err == nil:
		fmt.Fprintf(s.out, "  shop: %s is paid, receipt %d%s\n", order, r.Number, again)
	case amqprpc.IsRemote(err):
		fmt.Fprintf(s.out, "  shop: %s: %v%s\n", order, err, again)
	default:
		fmt.Fprintf(s.out, "  shop: %s: %v, outcome %v\n", order, amqprpc.CodeOf(err), amqprpc.OutcomeOf(err))
	}
}

// impatient times out while the bank works, and calls again.
func (s *shop) impatient(ctx context.Context) error {
	s.title("the caller gives up while the bank works")
	err := s.meanwhile(ctx, "order 1", Payment{"slow", 1000}, func(giveUp context.CancelFunc, paid <-chan struct{}) {
		giveUp()
		<-paid
	})
	s.pay(ctx, "order 1", Payment{"slow", 1000})
	return err
}

// cutOff cuts the server's connection while the bank works. The broker redelivers the
// request, as it does if the connection is lost between the reply and its ack.
func (s *shop) cutOff(ctx context.Context) error {
	s.title("the server's connection is lost while the bank works")
	return s.meanwhile(ctx, "order 2", Payment{"slow", 2000}, func(context.CancelFunc, <-chan struct{}) { s.line.cut() })
}

// meanwhile pays and runs happen while the bank works.
func (s *shop) meanwhile(ctx context.Context, order string, p Payment, happen func(giveUp context.CancelFunc, paid <-chan struct{})) error {
	paying, giveUp := context.WithCancel(ctx)
	defer giveUp()
	paid := make(chan struct{})
	go func() {
		defer close(paid)
		s.pay(paying, order, p)
	}()
	select {
	case <-s.bank.started:
	case <-paid:
		return fmt.Errorf("%s never reached the bank", order)
	}
	happen(giveUp, paid)
	s.bank.proceed <- struct{}{}
	<-paid
	return nil
}

// publishedTwice is a foreign client that sends a message twice, because it got no confirm
// for the first.
func (s *shop) publishedTwice(ctx context.Context) error {
	s.title("a message is published twice")
	conn, err := amqp.Dial(s.url)
	if err != nil {
		return err
	}
	defer conn.Close()
	ch, err := conn.Channel()
	if err != nil {
		return err
	}
	q, err := ch.QueueDeclare("", false, true, true, false, nil)
	if err != nil {
		return err
	}
	replies, err := ch.Consume(q.Name, "", true, true, false, false, nil)
	if err != nil {
		return err
	}
	body, err := json.Marshal(Payment{"gold", 3000})
	if err != nil {
		return err
	}
	for range 2 {
		err := ch.PublishWithContext(ctx, "", string(Charge), true, false, amqp.Publishing{
			MessageId: s.run + "/order 3", CorrelationId: "3", ReplyTo: q.Name, ContentType: "application/json", Body: body,
		})
		if err != nil {
			return err
		}
	}
	for range 2 {
		select {
		case d := <-replies:
			fmt.Fprintf(s.out, "  foreign client: %s\n", d.Body)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// declined repeats a call that was refused for good.
func (s *shop) declined(ctx context.Context) error {
	s.title("the bank's refusal is an answer")
	s.pay(ctx, "order 4", Payment{"empty", 4000})
	s.pay(ctx, "order 4", Payment{"empty", 4000})
	return nil
}

// busy repeats a call that was refused for now.
func (s *shop) busy(ctx context.Context) error {
	s.title("come back later is none")
	s.bank.mu.Lock()
	s.bank.busy = true
	s.bank.mu.Unlock()
	s.pay(ctx, "order 5", Payment{"gold", 5000})
	s.pay(ctx, "order 5", Payment{"gold", 5000})
	return nil
}

// mistaken reuses an ID for a different payment.
func (s *shop) mistaken(ctx context.Context) error {
	s.title("an id that was used for another payment")
	s.pay(ctx, "order 5", Payment{"gold", 1})
	return nil
}
