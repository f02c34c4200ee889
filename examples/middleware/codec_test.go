package main

import "github.com/bbebcec1/amqprpc-go/codec"

// watched is a JSON codec that reports each decoded request.
type watched struct{ decoded chan<- struct{} }

func (watched) ContentType() string { return "application/json" }

func (watched) Marshal(v any) ([]byte, error) { return codec.JSON{}.Marshal(v) }

func (w watched) Unmarshal(data []byte, v any) error {
	if _, isRequest := v.(*string); isRequest {
		w.decoded <- struct{}{}
	}
	return codec.JSON{}.Unmarshal(data, v)
}
