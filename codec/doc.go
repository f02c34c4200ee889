// Package codec turns messages into bytes and back: the Codec interface, its
// two implementations JSON and MsgPack, and a Registry that finds a codec by
// the content type of a message. It knows nothing of AMQP but the length of a
// content type, and a user's own codec is as good as these two.
//
// # One meaning, two notations
//
// A Go type means the same through both codecs. JSON is encoding/json, and
// MsgPack does value for value what encoding/json does, in MessagePack's
// notation, so that one description of a message serves both:
//
//   - Structs are maps with the names, the options (omitempty, omitzero,
//     string, "-") and the embedding that encoding/json sees in the json tags.
//     Tags named msgpack mean nothing. Field names are matched exactly first,
//     then regardless of case; keys that no field takes are passed over, unless
//     the codec's DisallowUnknownFields is set.
//   - Maps have string keys, integers and text as keys turned into strings, and
//     are sorted. An integer as key is understood when decoding.
//   - Nil pointers, slices, maps and interfaces are nil, empty slices and maps
//     are empty, and a nil sets what can be nil to nil and leaves all else alone.
//   - MarshalJSON, MarshalText and their counterparts are called: MsgPack turns
//     the JSON of a big.Int, a json.RawMessage or a type of yours into
//     MessagePack and back, and a text into a string. The methods of msgpack
//     (CustomEncoder, Marshaler and their counterparts) come before those.
//   - A time.Time is a string in RFC 3339, with its offset from UTC, and a
//     time.Duration an integer of nanoseconds. MessagePack's timestamp
//     extension is understood when decoding.
//   - An integer that does not fit its Go type is an error, and so is a float
//     for an integer, a value of another kind, anything after the value, and
//     NaN and infinities both ways. An integer for a float is none.
//   - An any holds nil, a bool, a float64, a string, an []any or a
//     map[string]any.
//
// Only three things look different in MessagePack: []byte and arrays of bytes
// are binary data, a float keeps its own form even where it is a whole number,
// and a number that no MessagePack number holds exactly, such as an integer of
// 30 digits, is an extension of type 78 ('N') with the number as JSON writes it.
//
// # Known differences
//
// What does not come back the same through both, each with a test:
//
//   - Binary data in an any is a []byte through MsgPack, and through JSON the
//     base64 string or the array of numbers that JSON has for it.
//   - An integer beyond ±2^53 in an any is rounded to a float64 by JSON. MsgPack
//     makes it an int64, or a uint64 if it must. With UseNumber set, both codecs
//     keep every number as a json.Number.
//   - A number beyond 64 bits in an any is rounded by JSON, and a json.Number
//     through MsgPack.
//   - A float32 in an any, or for a float64, is the shortest decimal that
//     stands for it through JSON (0.1), and its exact value through MsgPack.
//   - A string that is not valid UTF-8 has what is invalid replaced by U+FFFD
//     in JSON. MsgPack leaves it as it is.
//   - A json.Number or json.RawMessage keeps its value through MsgPack, but not
//     its spelling: "12.50" comes back as "12.5", "1e3" as "1000", "-0" as "0".
//   - Methods with a pointer receiver are not called by encoding/json on what
//     is in a map or an interface, such as a big.Int in a map[string]big.Int.
//     MsgPack calls them.
//
// # Bodies from strangers
//
// Both decoders take any bytes: they do not panic, refuse what is nested more
// than 10,000 levels deep, and believe no length that the body is too short
// for. What they allocate is in proportion to the body: the size of a Go
// element for each element that is really there.
package codec
