package protocol

import (
	"bytes"
	"crypto/rand"
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

// Prefix returns the prefix of an id that CorrelationID made of a NewID, else "".
// Others than the client and its servers do not know it.
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

// idLength is the length of what NewID returns.
const idLength = 16
