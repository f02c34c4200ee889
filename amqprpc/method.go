package amqprpc

import "context"

// Method is a contract that client and server share, in place of generated
// stubs: a queue's name with the types that travel on it.
//
//	const Fib amqprpc.Method[int, int64] = "rpc_queue"
//
//	Fib.Register(srv, fib)
//	n, err := Fib.Call(ctx, cli, 30)
type Method[Req, Resp any] string

// Register is [Register] on the method's queue.
func (m Method[Req, Resp]) Register(s *Server, h Handler[Req, Resp], opts ...HandlerOption) {
	Register(s, string(m), h, opts...)
}

// Call is [Call] on the method's queue.
func (m Method[Req, Resp]) Call(ctx context.Context, c *Client, req Req, opts ...CallOption) (Resp, error) {
	return Call[Req, Resp](ctx, c, string(m), req, opts...)
}

// Go is [Go] on the method's queue.
func (m Method[Req, Resp]) Go(ctx context.Context, c *Client, req Req, opts ...CallOption) *Future[Resp] {
	return Go[Req, Resp](ctx, c, string(m), req, opts...)
}

// Notify is [Notify] on the method's queue.
func (m Method[Req, Resp]) Notify(ctx context.Context, c *Client, req Req, opts ...CallOption) error {
	return Notify(ctx, c, string(m), req, opts...)
}
