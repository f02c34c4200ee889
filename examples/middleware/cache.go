package main

import (
	"bytes"
	"context"
	"maps"
	"sync"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
)

// cache is client middleware. It answers a repeated request without a call. To stay simple,
// it ignores who calls, and its entries never expire.
type cache struct {
	mu      sync.Mutex
	answers map[string]answer
	hits    int
}

// answer holds copies of a response's parts, because a Response belongs to its call.
type answer struct {
	contentType string
	body        []byte
	header      amqprpc.Header
}

func newCache() *cache { return &cache{answers: make(map[string]answer)} }

// answer is the middleware. The encoded request is the key, so the cache works for messages
// of any type.
func (c *cache) answer(next amqprpc.Invoker) amqprpc.Invoker {
	return func(ctx context.Context, req *amqprpc.Request) (*amqprpc.Response, error) {
		if req.Kind() != amqprpc.KindUnary {
			return next(ctx, req)
		}
		key := req.Queue() + " " + req.ContentType() + " " + string(req.Body())
		if a, ok := c.get(key); ok {
			h := maps.Clone(a.header)
			h["cache"] = "hit"
			return amqprpc.NewRawResponse(a.contentType, a.body, h), nil
		}
		resp, err := next(ctx, req)
		if err != nil {
			return nil, err // the cache does not keep errors
		}
		body, err := resp.Body()
		if err != nil {
			return nil, err
		}
		c.put(key, answer{resp.ContentType(), bytes.Clone(body), maps.Clone(resp.Header())})
		resp.Header()["cache"] = "miss"
		return resp, nil
	}
}

func (c *cache) get(key string) (answer, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	a, ok := c.answers[key]
	if ok {
		c.hits++
	}
	return a, ok
}

func (c *cache) put(key string, a answer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.answers[key] = a
}
