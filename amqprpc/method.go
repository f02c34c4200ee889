package amqprpc

import "context"

// Method is a contract that client and server share: the name of a queue, with the types of
// its requests and responses. It replaces generated code.
//
//	const Fib amqprpc.Method[int, int64] = "rpc_queue"
//
//	Fib.Register(srv, fib)
//	n, err := Fib.Call(ctx, cli, 30)
type Method[Req, Resp any] string

// Register puts h on the method's queue: see [Register].
func (m Method[Req, Resp]) Register(s *Server, h Handler[Req, Resp], opts ...HandlerOption) {
	Register(s, string(m), h, opts...)
}

// Call makes a call to the method's queue: see [Call].
func (m Method[Req, Resp]) Call(ctx context.Context, c *Client, req Req, opts ...CallOption) (Resp, error) {
	return Call[Req, Resp](ctx, c, string(m), req, opts...)
}

// Go starts a call to the method's queue: see [Go].
func (m Method[Req, Resp]) Go(ctx context.Context, c *Client, req Req, opts ...CallOption) *Future[Resp] {
	return Go[Req, Resp](ctx, c, string(m), req, opts...)
}

// Notify sends a notification to the method's queue: see [Notify].
func (m Method[Req, Resp]) Notify(ctx context.Context, c *Client, req Req, opts ...CallOption) error {
	return Notify(ctx, c, string(m), req, opts...)
}
