package protocol

import "github.com/bbebcec1/amqprpc-go/amqprpc/internal/frame"

// BatchContentType is the content type of a batch: several replies to one queue in
// one message. Half of what a call costs the broker is its reply, whatever the
// reply's length.
const BatchContentType = "application/vnd.amqprpc.replies"

// IsBatch reports whether a message is a batch.
func IsBatch(p *frame.Properties) bool { return string(p.ContentType) == BatchContentType }

// AppendBatched adds a reply to the body of a batch. properties is what
// [Reply.Append] makes.
func AppendBatched(dst, properties, body []byte) []byte {
	return frame.AppendLongString(frame.AppendLongString(dst, properties), body)
}

// EachReply calls f with the properties and the body of each reply in the body of
// a batch. Both alias the batch. It reports whether there was a reply and nothing
// was cut short.
func EachReply(batch []byte, f func(properties, body []byte)) (whole bool) {
	for {
		properties, rest, ok := frame.CutLongString(batch)
		if !ok {
			return false
		}
		body, rest, ok := frame.CutLongString(rest)
		if !ok {
			return false
		}
		f(properties, body)
		if batch = rest; len(batch) == 0 {
			return true
		}
	}
}

// CountReplies is the number of replies in a message, which may be a batch.
func CountReplies(p *frame.Properties, body []byte) int {
	if !IsBatch(p) {
		return 1
	}
	n := 0
	EachReply(body, func(_, _ []byte) { n++ })
	return n
}
