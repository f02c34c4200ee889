// Package protocol is docs/protocol.md in Go: what requests and replies look like
// on the wire. No other package spells the name of an rpc- header.
//
// Append methods encode a message's property list into a slice that the caller
// owns. Parse methods read it from [frame.Properties], and copy what they keep.
// Both allocate next to nothing, since each call passes through them four times.
//
// Nothing here trusts a peer. Parse refuses or clamps each number before any
// arithmetic, and each size is that of the wire.
package protocol
