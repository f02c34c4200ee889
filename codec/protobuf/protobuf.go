// Package protobuf is Protocol Buffers as a codec.Codec, for teams that have .proto files. The
// types that protoc-gen-go generates are messages of handlers and calls, as pointers:
//
//	const Place amqprpc.Method[*shop.Order, *shop.Receipt] = "orders"
//
//	Place.Register(srv, place, amqprpc.WithAcceptedCodecs(protobuf.Codec{}))
//	receipt, err := Place.Call(ctx, cli, &shop.Order{Item: "tea"}, amqprpc.WithCodec(protobuf.Codec{}))
package protobuf

import (
	"errors"
	"fmt"
	"reflect"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/bbebcec1/amqprpc-go/codec"
)

// Codec is the codec of content type application/protobuf. It uses
// google.golang.org/protobuf. The zero value is ready to use.
//
// A message is a generated type, as a pointer. amqprpc.None is a message without fields. All
// other types are errors, and so is a nil pointer.
//
// Equal messages have equal encodings in one version of the program, because the keys of maps
// are sorted. Unknown fields are kept. Text that is not UTF-8 is an error where the .proto file
// says string, and so is a required field that is missing. An empty body is a message whose
// fields are all zero. There is nothing that could follow a message: its fields end with the
// body.
type Codec struct{}

var (
	_ codec.Codec   = Codec{}
	_ codec.Aliaser = Codec{}
)

// ContentType returns "application/protobuf".
func (Codec) ContentType() string { return "application/protobuf" }

// Aliases returns two older names of the content type.
func (Codec) Aliases() []string {
	return []string{"application/x-protobuf", "application/vnd.google.protobuf"}
}

// Marshal returns the encoding of the message that v is or points to.
func (Codec) Marshal(v any) ([]byte, error) {
	if isNone(v) {
		return []byte{}, nil
	}
	m, err := messageOf(v)
	if err != nil {
		return nil, fmt.Errorf("codec: protobuf: cannot encode %T: %w", v, err)
	}
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("codec: protobuf: cannot encode %T: %s", m, reason(err))
	}
	return b, nil
}

// Unmarshal decodes data into the message that v is or points to. If v points to a nil pointer,
// Unmarshal makes a message for it. What the message held before is dropped.
func (Codec) Unmarshal(data []byte, v any) error {
	if isNone(v) {
		return nil
	}
	if p := reflect.ValueOf(v); p.Kind() == reflect.Pointer && !p.IsNil() && p.Elem().Kind() == reflect.Pointer && p.Elem().IsNil() {
		p.Elem().Set(reflect.New(p.Type().Elem().Elem()))
	}
	m, err := messageOf(v)
	if err != nil {
		return fmt.Errorf("codec: protobuf: cannot decode into %T: %w", v, err)
	}
	// Fields that are decoded later would keep data, and report their errors too late.
	if err := (proto.UnmarshalOptions{NoLazyDecoding: true}).Unmarshal(data, m); err != nil {
		return fmt.Errorf("codec: protobuf: cannot decode %s: %s", m.ProtoReflect().Descriptor().FullName(), reason(err))
	}
	return nil
}

var (
	errNoMessage = errors.New("it is no proto.Message; messages are generated types, as pointers")
	errNil       = errors.New("the message is nil")
)

// messageOf returns the message that v is or points to.
func messageOf(v any) (proto.Message, error) {
	m, ok := v.(proto.Message)
	if !ok {
		p := reflect.ValueOf(v)
		if p.Kind() != reflect.Pointer || p.IsNil() {
			return nil, errNoMessage
		}
		if m, ok = p.Elem().Interface().(proto.Message); !ok {
			return nil, errNoMessage
		}
	}
	if !m.ProtoReflect().IsValid() {
		return nil, errNil
	}
	return m, nil
}

// isNone reports whether v is an amqprpc.None, or points to one.
func isNone(v any) bool {
	switch v.(type) {
	case struct{}, *struct{}:
		return true
	default:
		return false
	}
}

// reason is the text of an error of the library, without its name and the space after it,
// which varies.
func reason(err error) string {
	return strings.TrimLeft(strings.TrimPrefix(err.Error(), "proto:"), " \u00a0")
}
