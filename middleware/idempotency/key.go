package idempotency

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
)

// key is where the store keeps the request's answer, "" for nowhere. The queue's
// length keeps a queue "a" with the id "b:c" apart from a queue "a:b" with the id "c".
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
		return "" // the id was made up here, anew for each delivery
	default:
		// Who holds a direct reply-to address can write to it: it goes nowhere in clear.
		sum := sha256.Sum256([]byte(d.ReplyTo))
		return queue + "@" + hex.EncodeToString(sum[:12]) + ":" + req.ID()
	}
}

// fingerprint tells bodies apart: a hash and the media type that it is of.
func fingerprint(req *amqprpc.Request) string {
	sum := sha256.Sum256(req.Body())
	mediaType, _, _ := strings.Cut(req.ContentType(), ";")
	return hex.EncodeToString(sum[:16]) + " " + strings.ToLower(strings.TrimSpace(mediaType))
}

// contradicts reports whether two fingerprints are of different bodies, as far as
// can be told: bodies of different media types cannot be compared.
func contradicts(a, b string) bool {
	sumA, typeA, _ := strings.Cut(a, " ")
	sumB, typeB, _ := strings.Cut(b, " ")
	return typeA == typeB && sumA != sumB
}
