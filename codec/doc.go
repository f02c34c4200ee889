// Package codec turns messages into bytes and back: the Codec interface, its
// two implementations JSON and MsgPack, and a Registry that finds a codec by
// the content type of a message.
package codec
