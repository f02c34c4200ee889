package transport

import (
	"context"
	"errors"
	"fmt"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/frame"
)

// probePatience is how long MayPublish waits for the broker's answer.
const probePatience = 2 * time.Second

// MayPublish finds out whether the user may publish to the default exchange. It
// publishes one message with a key that no queue has. A nil error is no proof: a
// broker that is short of memory takes nothing for now. If user is not empty, the
// message names it as its user_id, and the broker checks that, too.
func (c *Conn) MayPublish(ctx context.Context, key, user string) error {
	returned := make(probe, 1)
	ch, err := c.Open(ctx, returned)
	if err != nil {
		return err
	}
	p := &Publishing{Key: key, Mandatory: true, Properties: []byte{0, 0}}
	if user != "" {
		p.Properties = (&frame.Properties{Flags: frame.FlagUserID, UserID: []byte(user)}).Append(nil)
	}
	if err := ch.Write(ch.AppendPublish(nil, p)); err != nil && !c.IsClosed() {
		return fmt.Errorf("publish a probe: %w", err)
	}
	patience := time.NewTimer(probePatience)
	defer patience.Stop()
	select {
	case <-returned:
		return ch.Close(ctx)
	case e := <-ch.Closed():
		return explainProbe(e, user)
	case <-patience.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// probe is the Receiver of a probe. It receives something when the probe was returned.
type probe chan struct{}

// Returned implements Receiver.
func (p probe) Returned(*Message) { p <- struct{}{} }

// Deliver implements Receiver.
func (probe) Deliver(*Message) {}

// Confirmed implements Receiver.
func (probe) Confirmed(uint64, bool, bool) {}

// Cancelled implements Receiver.
func (probe) Cancelled(string) {}

// Closed implements Receiver.
func (probe) Closed(*Exception) {}

// explainProbe says why the probe's channel was closed.
func explainProbe(e *amqp.Error, user string) error {
	if e != nil && e.Code == amqp.AccessRefused {
		return Permanent(fmt.Errorf("publish to the default exchange: the user may not; grant it write on amq.default: %w", e))
	}
	if e != nil && e.Code == amqp.PreconditionFailed && user != "" {
		return Permanent(fmt.Errorf("publish as the user %q: the broker knows the connection under another name: %w", user, e))
	}
	return errors.New("the connection was lost")
}
