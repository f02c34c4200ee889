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
	// Streams publishes on each connection. Box is where streams come in, if the mailbox is
	// Direct: it is opened at first need.
	Streams *StreamWriter
	Box     Mailbox

	inspector inspector
	number    int64 // of the connection

	boxing  chan struct{} // holds something while what follows is used
	wanted  bool          // the box is
	opened  bool          // on this connection
	current *Conn         // nil while there is none
	ended   func(error)
}

// Init makes the client ready.
func (c *Client) Init() {
	c.Publisher.Init()
	c.Mailbox.init()
	c.Control.init()
	c.inspector.init()
	c.boxing = make(chan struct{}, 1)
}

// OpenBox opens the box, unless the mailbox or the box takes streams already. Without a
// connection the next one opens it. If ctx ends first, the box is opened all the same: to give
// up in the middle costs the connection.
func (c *Client) OpenBox(ctx context.Context) error {
	if c.Mailbox.Mode != Direct {
		return nil
	}
	select {
	case c.boxing <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	if c.opened || c.current == nil {
		c.wanted = true
		<-c.boxing
		return nil
	}
	opened := make(chan error, 1)
	go func() { // enter waits for it when the connection ends
		defer func() { <-c.boxing }()
		setup, cancel := context.WithTimeout(context.Background(), SetupTimeout)
		defer cancel()
		err := c.Box.open(setup, c.current, c.number, c.ended)
		c.opened = err == nil
		c.wanted = c.wanted || c.opened
		opened <- err
	}()
	select {
	case err := <-opened:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// enter makes conn the connection that the box is opened on; nil is none. A box that the user
// may not have is not tried again: it must not cost the calls their connection.
func (c *Client) enter(ctx context.Context, conn *Conn, ended func(error)) error {
	c.boxing <- struct{}{}
	defer func() { <-c.boxing }()
	c.current, c.ended, c.opened = conn, ended, false
	if conn == nil || !c.wanted {
		return nil
	}
	err := c.Box.open(ctx, conn, c.number, ended)
	c.opened = err == nil
	if Code(err) == CodeAccessRefused && !conn.IsClosed() {
		c.wanted = false
		return nil
	}
	return err
}

// StreamAddress is where streams come in. It is valid while there is a connection, and in
// a Direct client after OpenBox.
func (c *Client) StreamAddress() string {
	if c.Mailbox.Mode == Direct {
		return c.Box.Address()
	}
	return c.Mailbox.Address()
}

// Use works on a connection until it is lost, one of its channels ends, or ctx is
// done. up is called once requests can be published. Use returns why it ended. When
// it returns, nothing runs any more. closing is the ctx of the session: when that is
// done, the mailbox is deleted.
func (c *Client) Use(ctx, closing context.Context, conn *Conn, up func()) error {
	work, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	x, err := c.open(ctx, work, conn, stop)
	if err != nil {
		return err
	}
	c.inspector.use(conn)
	c.Control.use(conn)
	up()
	streaming, quit := context.WithCancel(context.WithoutCancel(ctx)) // until the farewell is said
	defer quit()
	c.Streams.use(streaming, conn)
	keeper := c.Mailbox.keeper
	if keeper != nil {
		keeper.keep(work)
	}
	defer context.AfterFunc(closing, func() { conn.WriteWithin(closeTimeout) })() // to a peer that takes nothing
	stop(c.publish(work, conn, x))
	c.Mailbox.close()
	if closing.Err() != nil {
		c.leave(ctx, conn)
	} else {
		conn.Abort()
	}
	quit()
	c.Streams.leave()
	c.enter(ctx, nil, nil)
	c.Control.use(nil)
	c.inspector.use(nil)
	if keeper != nil {
		keeper.stop()
	}
	return context.Cause(work)
}

// open sets up what the connection is used for, until work is done.
func (c *Client) open(ctx, work context.Context, conn *Conn, ended func(error)) (*publishing, error) {
	setup, cancel := context.WithTimeout(ctx, SetupTimeout)
	defer cancel()
	c.number++
	x, err := c.Publisher.open(setup, work, conn, c.number, &c.Mailbox)
	if err != nil {
		return nil, err
	}
	if err = c.Mailbox.open(setup, conn, c.number, ended); err != nil {
		return nil, err
	}
	if k := c.Mailbox.keeper; k != nil {
		k.marker.place(setup)
	}
	return x, c.enter(setup, conn, ended)
}

// leave closes the connection of a client that is closed.
func (c *Client) leave(ctx context.Context, conn *Conn) {
	farewell, done := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer done()
	c.Farewell(farewell)
	c.Mailbox.delete(farewell)
	conn.Close(closeTimeout)
}

// Number is that of the connection, which each new one increases.
func (c *Client) Number() int64 { return c.number }

// Inspect inspects a queue, until ctx is done.
func (c *Client) Inspect(ctx context.Context, queue string) Inspection {
	return c.inspector.inspect(ctx, queue)
}
