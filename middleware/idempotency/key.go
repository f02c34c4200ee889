package idempotency

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
)

// key returns the store's key of a request, or "" if the request has none. The length
// in front of the queue's name keeps the queue "a" with the ID "b:c" apart from the
// queue "a:b" with the ID "c".
func (c *config) key(req *amqprpc.Request) string {
	queue := strconv.Itoa(len(req.Queue())) + ":" + req.Queue()
	if c.idOf != nil {
		own := c.idOf(req)
		if own == "" {
			return ""
		}
		return queue + ":" + own
	}
	d := req.Delivery()
	switch {
	case d.MessageId != "":
		return queue + ":" + req.ID()
	case d.CorrelationId == "":
		return "" // the ID is random, and new for each delivery
	default:
		// Anyone who knows a direct reply-to address can write to it, so only its hash is stored.
		sum := sha256.Sum256([]byte(d.ReplyTo))
		return queue + "@" + hex.EncodeToString(sum[:12]) + ":" + req.ID()
	}
}

// fingerprint identifies a body: its hash, and its media type.
func fingerprint(req *amqprpc.Request) string {
	sum := sha256.Sum256(req.Body())
	mediaType, _, _ := strings.Cut(req.ContentType(), ";")
	return hex.EncodeToString(sum[:16]) + " " + strings.ToLower(strings.TrimSpace(mediaType))
}

// contradicts reports whether two fingerprints are certainly of different bodies.
// Bodies of different media types cannot be compared.
func contradicts(a, b string) bool {
	sumA, typeA, _ := strings.Cut(a, " ")
	sumB, typeB, _ := strings.Cut(b, " ")
	return typeA == typeB && sumA != sumB
}
