package main

import (
	"context"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
)

// newPricing makes an instance of the service that knows what things cost. It calls nobody.
func newPricing(p *Platform, instance string, conn ...amqprpc.ConnOption) (*Service, error) {
	s, err := p.NewService(Spec{
		Name: "pricing", Instance: instance, Conn: conn, Limits: p.Services,
		Encoding: zstandard, Token: p.Login.source("pricing"),
	})
	if err != nil {
		return nil, err
	}
	Quote.Register(s.Server, quote, queue()) // reads only, so that it may run twice
	return s, nil
}

// quote is the handler.
func quote(_ context.Context, basket Basket) (Price, error) {
	var price Price
	for _, l := range basket.Lines {
		price.Cents += l.Count * (100 + 10*len(l.Item))
	}
	return price, nil
}
