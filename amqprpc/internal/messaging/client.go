package messaging

import "context"

// Client is what a client has on the broker, on one connection after the other: a
// publisher for its requests and a mailbox for the replies.
type Client struct {
	Publisher Publisher
	Mailbox   Mailbox
	Control   ControlSender
	// Farewell is called before the connection of a client that is closed ends.
	Farewell func(ctx context.Context)

	inspector inspector
	number    int64 // of the connection
}

// Init makes the client ready.
func (c *Client) Init() {
	c.Publisher.Init()
	c.Mailbox.init()
	c.Control.init()
	c.inspector.init()
}

// Use works on a connection until it is lost, one of its channels ends, or ctx is
// done. up is called once requests can be published. Use returns why it ended. When
// it returns, nothing runs any more. closing is the ctx of the session: when that is
// done, the mailbox is deleted.
func (c *Client) Use(ctx, closing context.Context, conn *Conn, up func()) error {
	work, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	setup, cancel := context.WithTimeout(ctx, SetupTimeout)
	defer cancel()
	c.number++
	x, err := c.Publisher.open(setup, work, conn, c.number, &c.Mailbox)
	if err != nil {
		return err
	}
	if err = c.Mailbox.open(setup, conn, c.number, stop); err != nil {
		return err
	}
	keeper := c.Mailbox.keeper
	if keeper != nil {
		keeper.marker.place(setup)
	}
	cancel()
	c.inspector.use(conn)
	c.Control.use(conn)
	up()
	if keeper != nil {
		keeper.keep(work)
	}
	defer context.AfterFunc(closing, func() { conn.WriteWithin(closeTimeout) })() // to a peer that takes nothing
	stop(c.publish(work, conn, x))
	c.Mailbox.close()
	if closing.Err() != nil {
		farewell, done := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
		c.Farewell(farewell)
		c.Mailbox.delete(farewell)
		done()
		conn.Close(closeTimeout)
	} else {
		conn.Abort()
	}
	c.Control.use(nil)
	c.inspector.use(nil)
	if keeper != nil {
		keeper.stop()
	}
	return context.Cause(work)
}

// Number is that of the connection, which each new one increases.
func (c *Client) Number() int64 { return c.number }

// Inspect inspects a queue, until ctx is done.
func (c *Client) Inspect(ctx context.Context, queue string) Inspection {
	return c.inspector.inspect(ctx, queue)
}
