package codec

// A Codec turns messages into bytes and back. JSON and MsgPack are the ones
// that come with the package; a user's own stand beside them on equal terms,
// in a Registry or handed to a client or a server.
//
// A Codec is used from many goroutines at once.
type Codec interface {
	// ContentType is the AMQP content-type property of the bodies that
	// Marshal makes: a bare media type such as "application/json", without
	// parameters, at most 255 bytes. It never changes.
	ContentType() string

	// Marshal returns the encoding of v. The bytes are the caller's own:
	// the codec neither keeps nor reuses them.
	Marshal(v any) ([]byte, error)

	// Unmarshal decodes data, all of it, into what v points to; bytes left
	// over after the value are an error. It must not keep data, which the
	// caller may reuse as soon as Unmarshal returns.
	Unmarshal(data []byte, v any) error
}

// Aliaser is implemented by a Codec that reads further content types besides
// the one it writes: the older names of a format. A Registry finds the codec
// under every one of them.
type Aliaser interface {
	// Aliases lists bare media types, of the form that ContentType has.
	// It never changes.
	Aliases() []string
}
