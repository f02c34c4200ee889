package main

import (
	"context"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
)

// tagCaller is for clients: it writes to the request's metadata on the way out and
// to the reply's on the way in.
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

// servedBy is for servers: it reads the request's metadata and writes the reply's,
// which travels with a result and with an error alike.
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
