package main

import (
	"context"
	"fmt"
	"io"
	"sync"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
)

// bank is the server. Its handler has an effect that must not happen twice.
type bank struct {
	out io.Writer

	mu     sync.Mutex
	booked []Payment
	busy   bool // refuse the next payment

	started chan struct{} // receives when a slow charge starts
	proceed chan struct{} // lets a slow charge end
}

func newBank(out io.Writer) *bank {
	return &bank{out: out, started: make(chan struct{}, 1), proceed: make(chan struct{})}
}

func (b *bank) charge(_ context.Context, p Payment) (Receipt, error) {
	if p.Card == "slow" {
		b.started <- struct{}{}
		<-b.proceed // a bank must not stop in the middle of a payment, so the handler ignores its ctx
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.busy {
		b.busy = false
		fmt.Fprintln(b.out, "  bank: too busy")
		// Nothing was done and the caller may retry, so the store does not keep this error.
		return Receipt{}, amqprpc.Errorf(amqprpc.CodeUnavailable, "come back later")
	}
	if p.Card == "empty" {
		fmt.Fprintln(b.out, "  bank: declines")
		// The store keeps this error like any other answer.
		return Receipt{}, amqprpc.Errorf(amqprpc.CodeFailedPrecondition, "the card has no cover")
	}
	b.booked = append(b.booked, p)
	fmt.Fprintf(b.out, "  bank: charges %d cents\n", p.Cents)
	return Receipt{Number: len(b.booked), Cents: p.Cents}, nil
}

// close releases all handlers that wait to proceed.
func (b *bank) close() { close(b.proceed) }

func (b *bank) total() (charges, cents int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, p := range b.booked {
		cents += p.Cents
	}
	return len(b.booked), cents
}
