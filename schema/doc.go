// Package schema makes JSON Schemas from Go types. [Of] is a generator for
// amqprpc.WithSchemas.
//
// A schema describes what codec.JSON writes and reads. Every value that the codec writes is
// valid, unless a tag of a field demands more than the type. What is valid is also what the
// codec reads, with these exceptions:
//
//   - A number of a Go integer may be written as 1.0 or 1e2 in JSON. The codec refuses this.
//   - The limits of the Go type are not checked for integers in strings (the tag option
//     string, and the keys of maps), and for numbers beyond ±1.8e308.
//   - Few validators check the format date-time.
//   - The codec matches names regardless of case. The schema knows only the exact name.
//   - A type with methods may refuse texts that the schema accepts. The codec also cannot read
//     into an interface with methods, nor into a struct that is not exported and that is
//     embedded by a pointer.
//
// The codec also reads some messages that the schema refuses, because no server should send
// them: objects without a field that is always written, a null where Go has no nil, arrays
// that are longer or shorter than their Go array, an array of numbers for a []byte, a
// json.Number in quotes, line breaks in base64, and numbers in a string that are no numbers
// of JSON, such as 007 and +1.
//
// Fields that the schema does not know are allowed, as the codec ignores them.
// DisallowUnknownFields of the codec is not visible here.
//
// # Types
//
// A field without the tag options omitempty and omitzero is required. A pointer, a slice and a
// map may be null. Integers have their limits. A []byte is base64. A time.Duration is an
// integer of nanoseconds. Structs, and named slices, maps and arrays, are definitions, so that
// types may be recursive.
//
// A type with MarshalText is a string. A type with MarshalJSON, UnmarshalJSON or only
// UnmarshalText may be anything, as may an interface. If a value in a map has such a method
// with a pointer receiver, it may be anything, because encoding/json does not call the method
// there.
//
// # More than the type says
//
// The tags of github.com/invopop/jsonschema add to a field: jsonschema:"description=…",
// minimum, pattern, enum and others. A type with the method JSONSchema() *jsonschema.Schema
// has that schema, and JSONSchemaExtend(*jsonschema.Schema) changes the one from here. A
// struct that embeds such a type inherits the method, and must have a method of its own.
package schema
