// Package codec turns messages into bytes and back. It has the Codec interface, the two codecs
// JSON and MsgPack, and a Registry that finds a codec by the content type of a message. Your
// own codec can be used in the same way as these two.
//
// JSON is encoding/json. MsgPack is github.com/vmihailenco/msgpack/v5 with strict checks
// before it decodes. Both refuse bytes after the value, a number that does not fit its Go
// type, a value of another kind, NaN and infinities, and nesting deeper than 10,000 levels.
// Their errors name the field and wrap the error of encoding/json or of a method of yours. A
// panic in a method of yours becomes an error.
//
// Most messages mean the same in both codecs: structs with json tags, slices, maps with string
// keys, pointers, strings, bools and numbers. Into an any, both codecs decode a nil, a bool, a
// float64, a string, an []any or a map[string]any.
//
// # MsgPack differs from JSON
//
// Names and structs:
//
//   - If a field has a msgpack tag and a json tag, only the msgpack tag is used. The options
//     string and omitzero have no effect.
//   - Names of fields are matched exactly. JSON ignores case.
//   - The option omitempty also leaves out a struct that is empty, a zero value in an
//     interface, and a value whose method IsZero says so.
//   - The tag name "-" always leaves the field out, also with a comma after it. A tag name has
//     no colon.
//   - Fields of an embedded struct are fields of the outer struct even if the tag names the
//     embedded struct. If two fields get the same name, or if a struct embeds itself, MsgPack
//     refuses the type. A nil embedded pointer comes back as a pointer to an empty struct.
//
// Types and their methods:
//
//   - MarshalJSON and UnmarshalJSON are not called. MsgPack encodes the fields, and refuses a
//     type that has MarshalJSON but no fields. The first of EncodeMsgpack, MarshalMsgpack,
//     MarshalBinary and MarshalText is called. Extensions that the program has registered are
//     used, too. A function that was given to msgpack.Register must produce the same kind of
//     value as the type without it. Values that DecodeMsgpack reads are not checked for their
//     size.
//   - The text of MarshalText is binary data. MarshalText is not called for slices of bytes. A
//     json.RawMessage is binary data, and a json.Number is a string.
//   - A time.Time is a timestamp (extension type -1). It has no offset, and comes back in the
//     local time zone. A nil for a time.Time is an error. A nil for a *time.Time is allowed.
//   - []byte and arrays of bytes are binary data, also in an any.
//   - Keys of maps keep their type: a map[int]string has integers as keys. In an any, keys
//     must be strings. If a value in a map has a method with a pointer receiver, MsgPack
//     returns an error. JSON encodes such a value without the method.
//   - A uintptr has no encoding. An error is a string.
//
// Values:
//
//   - A nil makes a zero value of every type. JSON leaves a number as it is. The earlier value
//     of an any is dropped.
//   - An array that is longer than the Go array is an error. JSON drops the rest.
//   - An integer beyond ±2^53 in an any is an int64 or a uint64. JSON rounds it. A float32 in
//     an any keeps its exact value. With UseNumber set, both codecs make a json.Number of
//     every number.
//   - A string that is not UTF-8 stays as it is. JSON replaces the invalid bytes.
//
// # One value, one encoding
//
// Equal values of a type have equal encodings, because the keys of every map are sorted.
// msgpack itself sorts a map[string]string, a map[string]bool and a map[string]any. If a
// message has another map, MsgPack sorts the encoded message: all maps, and the members of
// structs in interfaces. The output of EncodeMsgpack and MarshalMsgpack outside of an
// interface is not changed. EncodeMsgpack should write exactly one value. In a message that
// has another map, it must.
//
// # Bodies from strangers
//
// Both decoders accept any bytes, and do not panic. If a body states a length that is larger
// than the body, decoding fails. The memory that a decoder allocates is in proportion to the
// body: one Go element for each element of the body.
package codec
