package codec

// A Codec encodes and decodes messages. The package has the codecs JSON and MsgPack. Your own
// Codec works like these two, in a Registry or as an option of a client or a server.
//
// A Codec must be safe for concurrent use.
type Codec interface {
	// ContentType is the AMQP content-type property of the encoded bodies: a bare media type
	// such as "application/json", without parameters, at most 255 bytes. It never changes.
	ContentType() string

	// Marshal returns the encoding of v. The caller owns the bytes: the codec neither keeps
	// nor reuses them.
	Marshal(v any) ([]byte, error)

	// Unmarshal decodes all of data into the value that v points to. Bytes after the value
	// are an error. So is empty data, unless the format has values that are encoded as nothing.
	// Unmarshal must not keep data, because the caller may reuse data
	// afterwards.
	Unmarshal(data []byte, v any) error
}

// Aliaser is implemented by a Codec that also reads further content types, such as older
// names of its format. A Registry finds the codec under each of them.
type Aliaser interface {
	// Aliases returns bare media types in the form of ContentType. They never change.
	Aliases() []string
}
