package idempotency

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strconv"
	"strings"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
)

// key returns the store's key of a request, or "" if the request has none. The length
// in front of the queue's name keeps the queue "a" with the ID "b:c" apart from the
// queue "a:b" with the ID "c".
func (c *config) key(ctx context.Context, req *amqprpc.Request) string {
	queue := strconv.Itoa(len(req.Queue())) + ":" + req.Queue()
	if req.ToInstance() { // each instance answers for itself, whoever shares the store
		queue += "!" + req.Instance()
	}
	if c.idOf != nil {
		own := c.idOf(ctx, req)
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

// fingerprint identifies a body: by its hash, its media type, and the hash of its
// message, "" if the message cannot be encoded as JSON.
func fingerprint(req *amqprpc.Request, msg any) string {
	mediaType, _, _ := strings.Cut(req.ContentType(), ";")
	message := ""
	if b, err := json.Marshal(msg); err == nil {
		message = hash(b)
	}
	return strings.Join([]string{hash(req.Body()), strings.ToLower(strings.TrimSpace(mediaType)), message}, " ")
}

func hash(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:16])
}

// contradicts reports whether two fingerprints are of different bodies. Under
// different media types different bytes may be the same message. A fingerprint that
// was not made here contradicts nothing.
func contradicts(a, b string) bool {
	x, y := strings.Split(a, " "), strings.Split(b, " ")
	switch {
	case len(x) != 3 || len(y) != 3:
		return false
	case x[1] == y[1] || x[2] == "":
		return x[0] != y[0]
	default:
		return x[2] != y[2]
	}
}
