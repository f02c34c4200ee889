package protocol

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"strconv"
)

// NewID makes a name that nobody else has or can guess, of 96 random bits. It is
// shorter than a UUID, since each message has such names three or four times.
func NewID() string {
	var b [12]byte
	rand.Read(b[:]) // never fails
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// CorrelationID names an attempt at a call: the client's prefix, which nobody else
// can guess, the call's number and, from the second attempt on, the attempt.
func CorrelationID(prefix string, number uint64, attempt int) string {
	var room [80]byte
	b := append(room[:0], prefix...)
	b = strconv.AppendUint(b, number, 36)
	if attempt > 1 {
		b = append(b, '.')
		b = strconv.AppendInt(b, int64(attempt), 10)
	}
	return string(b)
}

// ParseCorrelationID undoes CorrelationID. It returns false for an id that is not
// of this prefix.
func ParseCorrelationID(prefix string, id []byte) (number uint64, attempt int, ok bool) {
	if len(id) < len(prefix) || string(id[:len(prefix)]) != prefix {
		return 0, 0, false
	}
	first, second, several := bytes.Cut(id[len(prefix):], []byte{'.'})
	number, err := strconv.ParseUint(string(first), 36, 64)
	if err != nil {
		return 0, 0, false
	}
	attempt = 1
	if several {
		if attempt, err = strconv.Atoi(string(second)); err != nil || attempt < 2 {
			return 0, 0, false
		}
	}
	return number, attempt, true
}

// Prefix returns the prefix of an id that CorrelationID made of a QueuePrefix, else
// "". Others than the client and the servers of the queue do not know it.
func Prefix(correlationID string) string {
	if len(correlationID) <= idLength {
		return ""
	}
	prefix := correlationID[:idLength]
	if _, _, ok := ParseCorrelationID(prefix, []byte(correlationID)); !ok {
		return ""
	}
	return prefix
}

// QueuePrefix is the prefix of a client's correlation ids for calls to a queue. Who
// knows the prefix for one queue, as the queue's servers do, cannot guess that for
// another: it is an HMAC of the queue's name under the client's secret.
func QueuePrefix(secret []byte, queue string) string {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(queue))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil)[:12])
}

// SplitCorrelationID is ParseCorrelationID for any prefix of a QueuePrefix's length.
func SplitCorrelationID(id []byte) (prefix []byte, number uint64, attempt int, ok bool) {
	if len(id) <= idLength {
		return nil, 0, 0, false
	}
	prefix = id[:idLength]
	number, attempt, ok = ParseCorrelationID(string(prefix), id)
	return prefix, number, attempt, ok
}

// idLength is the length of what NewID and QueuePrefix return.
const idLength = 16
