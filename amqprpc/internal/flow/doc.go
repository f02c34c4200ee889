// Package flow has the two halves of one direction of a stream: [Out] sends, [In] receives.
// Values go in, and what is to be sent comes out. The package knows no messages, no
// connection and no clock, and takes no locks: its users hold one lock for each stream.
//
// Frames are numbered. In takes only the frame that it expects. Out keeps each frame until
// In has acknowledged it, and sends it again only if In has said that it is lost.
package flow

import "errors"

// ItemCost is what an item costs beside its octets, so that a window bounds the number of
// items, too. It is more than the memory of an item: a window of small items takes its
// receiver time, and calls wait meanwhile.
const ItemCost = 1024

// ErrBeyondWindow says that a peer has sent more than it was granted.
var ErrBeyondWindow = errors.New("the peer sent more than the window allows")

// Cost is what an item of n octets takes of a window.
func Cost(n int) int64 { return int64(n) + ItemCost }
