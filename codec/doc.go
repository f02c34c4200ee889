// Package codec turns messages into bytes and back: the Codec interface, its
// two implementations JSON and MsgPack, and a Registry that finds a codec by
// the content type of a message. The package knows nothing of AMQP but the
// length of a content type. A codec of your own is as good as these two.
//
// JSON is encoding/json. MsgPack is github.com/vmihailenco/msgpack/v5 with
// strict checks before it decodes. Both refuse bytes after the value, a number
// that does not fit its Go type, a value of another kind, NaN and infinities,
// and nesting deeper than 10,000 levels. Their errors name the field. A panic
// in a method of yours becomes an error.
//
// Most messages mean the same through both codecs: structs with json tags,
// slices, maps with string keys, pointers, strings, bools and numbers. In an
// any, both give nil, a bool, a float64, a string, an []any or a
// map[string]any.
//
// # MsgPack differs from JSON
//
// Names and structs:
//
//   - A msgpack tag comes before a json tag. The options of the other tag then
//     do not count. The options string and omitzero do nothing.
//   - Names of fields are matched exactly. JSON ignores case.
//   - The option omitempty also leaves out a struct that is empty, a zero value
//     in an interface, and a value whose method IsZero says so.
//   - The tag name "-" always leaves the field out, also with a comma after it. A
//     tag name has no colon.
//   - Fields of an embedded struct are fields of the outer struct even if the
//     tag names the embedded struct. If two fields get the same name, or if a
//     struct embeds itself, MsgPack refuses the type. A nil embedded pointer
//     comes back as a pointer to an empty struct.
//
// Types and their methods:
//
//   - MarshalJSON and UnmarshalJSON are not called. MsgPack encodes the fields,
//     and refuses a type that has MarshalJSON but no fields. EncodeMsgpack,
//     MarshalMsgpack, MarshalBinary and MarshalText count, in this order, and
//     so do extensions that the program has registered. A function that it has
//     given to msgpack.Register must keep the kind of value that the type has
//     without it. What DecodeMsgpack reads is not checked for its size.
//   - The text of MarshalText is binary data. It is not called for []byte-like
//     slices. A json.RawMessage is binary data, and a json.Number is a string.
//   - A time.Time is a timestamp (extension type -1). It has no offset, and comes
//     back in the local time zone. A nil for it is an error, but not for a
//     *time.Time.
//   - []byte and arrays of bytes are binary data, also in an any.
//   - Keys of maps keep their type: a map[int]string has integers as keys. For
//     an any, keys must be strings. A method with a pointer receiver fails on a
//     value in a map, which JSON encodes without the method.
//   - A uintptr has no encoding. An error is a string.
//
// Values:
//
//   - A nil makes a zero value of every type; JSON leaves a number as it is. What
//     an any held before is dropped.
//   - A longer array than the Go array is an error; JSON drops the rest.
//   - An integer beyond ±2^53 in an any is an int64 or a uint64; JSON rounds it.
//     A float32 in an any keeps its exact value. With UseNumber set, both codecs
//     make a json.Number of every number.
//   - A string that is not UTF-8 stays as it is; JSON replaces what is invalid.
//
// # One value, one encoding
//
// Equal values of a type have equal encodings, because the keys of every map are
// sorted. What EncodeMsgpack or MarshalMsgpack writes stays as it is, except in
// an interface: there, if the message has a map that msgpack does not sort by
// itself, all maps and the members of structs are sorted. msgpack sorts a
// map[string]string, map[string]bool and map[string]any. EncodeMsgpack should
// write one value; in a message that has another map, it must.
//
// # Bodies from strangers
//
// Both decoders take any bytes. They do not panic, and they believe no length
// that the body is too short for. What they allocate is in proportion to the
// body: the size of a Go element for each element that is there.
package codec
