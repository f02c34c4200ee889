package amqprpc

import (
	"crypto/rand"
	"encoding/base64"
)

// newID makes a name that nobody else has or can guess, of 96 random bits. It is
// shorter than a UUID, since names of clients and reply queues are in each message
// three or four times, and the broker writes to a connection whenever it has some
// 1,400 octets for it.
func newID() string {
	var b [12]byte
	rand.Read(b[:]) // never fails
	return base64.RawURLEncoding.EncodeToString(b[:])
}
