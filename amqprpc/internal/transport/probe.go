package transport

import (
	"context"
	"errors"
	"fmt"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// probePatience is how long MayPublish waits for the broker's answer.
const probePatience = 2 * time.Second

// MayPublish finds out whether the user may publish to the default exchange. It
// publishes one message with a key that no queue has. A nil error is no proof: a
// broker that is short of memory takes nothing for now. If user is not empty, the
// message names it as its user_id, and the broker checks that, too.
func (c *Conn) MayPublish(ctx context.Context, key, user string) error {
	var ch *amqp.Channel
	err := c.do(ctx, func() (err error) {
		ch, _, err = c.open()
		return err
	})
	if err != nil {
		return fmt.Errorf("open a channel: %w", err)
	}
	returns := ch.NotifyReturn(make(chan amqp.Return, 1))
	closed := ch.NotifyClose(make(chan *amqp.Error, 1))
	err = c.do(ctx, func() error { return ch.Publish("", key, true, false, amqp.Publishing{UserId: user}) })
	if err != nil {
		return fmt.Errorf("publish a probe: %w", err)
	}
	patience := time.NewTimer(probePatience)
	defer patience.Stop()
	select {
	case _, returned := <-returns:
		if !returned { // the driver closes it with the channel
			return explainProbe(<-closed, user)
		}
		return c.do(ctx, ch.Close)
	case e := <-closed:
		return explainProbe(e, user)
	case <-patience.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

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
