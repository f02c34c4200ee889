package main

import (
	"context"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
)

// tagCaller is client middleware. It writes metadata to the request and reads metadata of the
// reply.
func tagCaller(name string) amqprpc.Middleware {
	return func(next amqprpc.Invoker) amqprpc.Invoker {
		return func(ctx context.Context, req *amqprpc.Request) (*amqprpc.Response, error) {
			req.Header()["caller"] = name
			resp, err := next(ctx, req)
			if err != nil {
				return nil, err
			}
			if resp.Header()["served-by"] == "" {
				resp.Header()["served-by"] = "somebody who did not say"
			}
			return resp, nil
		}
	}
}

// servedBy is server middleware. It reads metadata of the request and writes metadata to the
// reply. The metadata travels with results and with errors.
func servedBy(name string) amqprpc.Middleware {
	return func(next amqprpc.Invoker) amqprpc.Invoker {
		return func(ctx context.Context, req *amqprpc.Request) (*amqprpc.Response, error) {
			reply := amqprpc.ReplyHeader(ctx)
			reply["served-by"] = name
			reply["caller-seen"] = req.Header()["caller"]
			return next(ctx, req)
		}
	}
}
