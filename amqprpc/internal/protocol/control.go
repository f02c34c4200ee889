package protocol

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/frame"
)

const (
	// ControlExchange is the direct exchange that control messages go to.
	ControlExchange = "amqprpc.control"
	// InstancePrefix begins the names of the servers' mailboxes.
	InstancePrefix = "amqprpc.instance."
	// DiscoverQueue is the queue that a question to servers about themselves names. There is
	// no such queue: a question only goes to the servers' mailboxes.
	DiscoverQueue = "amqprpc.discover"
	discoverKey   = "discover"

	typeCancel = "cancel"
)

// CancelKey is the routing key of cancels for the requests of a queue.
func CancelKey(queue string) string { return controlKey("cancel." + queue) }

// BroadcastKey is the routing key of requests to all servers whose handler of a queue
// takes broadcasts. That of DiscoverQueue is a key of its own: to bind a mailbox to it then
// never looks like a handler that takes broadcasts.
func BroadcastKey(queue string) string {
	if queue == DiscoverQueue {
		return discoverKey
	}
	return controlKey("all." + queue)
}

// InstanceQueue is the mailbox of an instance.
func InstanceQueue(instance string) string { return InstancePrefix + instance }

// MeantQueue returns the queue whose handler a request to a mailbox is meant for, "" for
// any other message.
func MeantQueue(p *frame.Properties) string {
	queue := ""
	for name, v := range frame.Fields(p.Headers) {
		if string(name) == headerQueue {
			text, _ := v.Text()
			queue = string(text)
		}
	}
	return queue
}

// controlKey is the key itself or, if AMQP has no room for it, "~" and its SHA-256.
func controlKey(key string) string {
	if len(key) <= MaxShortString {
		return key
	}
	sum := sha256.Sum256([]byte(key))
	return "~" + hex.EncodeToString(sum[:])
}

// Cancel is a control message: nobody waits for the answers to these attempts any
// more.
type Cancel struct {
	IDs     []string      // correlation ids
	Expires time.Duration // until the last of the attempts expires by itself
}

// Append adds the property list of a cancel to dst, and returns it with the body.
func (c *Cancel) Append(dst []byte) (properties, body []byte) {
	p := beginProperties(dst)
	p.short(frame.FlagContentType, "application/json")
	p.expiration(max(min(c.Expires, MaxExpiration), time.Millisecond).Milliseconds())
	p.short(frame.FlagType, typeCancel)
	body, _ = json.Marshal(c.IDs) // strings do not fail
	return p.end(), body
}

var errControl = errors.New("the control message is none that is known here")

// ParseCancel reads a cancel.
func ParseCancel(p *frame.Properties, body []byte) (Cancel, error) {
	if string(p.Type) != typeCancel {
		return Cancel{}, errControl
	}
	c := Cancel{Expires: parseExpiration(p.Expiration)}
	if err := json.Unmarshal(body, &c.IDs); err != nil {
		return Cancel{}, err
	}
	strange := func(id string) bool { return id == "" || len(id) > MaxShortString }
	if c.Expires < 0 || len(c.IDs) > MaxCancelled || slices.ContainsFunc(c.IDs, strange) {
		return Cancel{}, errControl
	}
	return c, nil
}

// MaxCancelled is how many ids one cancel may name.
const MaxCancelled = 1000
