package invoke

import (
	"time"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
)

// Options say how a method is called. The zero value has the defaults of package amqprpc, and
// validates requests.
type Options struct {
	Timeout    time.Duration  // of the whole call; 0 is the client's default, which is none for streams
	Instance   string         // the only server that is asked; "" is any. Streams and broadcasts ignore it
	Header     amqprpc.Header // metadata of the request
	Idempotent bool           // the handler may run more than once
	CallID     string         // "" is a new one
	NoValidate bool           // send what does not fit the schema, too
}

// callOptions returns the options for package amqprpc.
func (o Options) callOptions(m *Method, more ...amqprpc.CallOption) []amqprpc.CallOption {
	opts := append([]amqprpc.CallOption{amqprpc.WithCodec(m.codec)}, more...)
	if o.Timeout > 0 {
		opts = append(opts, amqprpc.WithTimeout(o.Timeout))
	}
	for name, value := range o.Header {
		opts = append(opts, amqprpc.WithHeader(name, value))
	}
	if o.Idempotent {
		opts = append(opts, amqprpc.WithIdempotent())
	}
	if o.CallID != "" {
		opts = append(opts, amqprpc.WithCallID(o.CallID))
	}
	return opts
}

// check validates a request unless the options say otherwise.
func (o Options) check(m *Method, request []byte) error {
	if o.NoValidate {
		return nil
	}
	return m.Validate(request)
}
