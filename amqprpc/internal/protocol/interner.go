package protocol

// Interner makes strings that recur, such as content types and reply queues, only
// once. The zero value is ready for use; it is not safe for concurrent use.
type Interner struct{ seen map[string]string }

// internedMost bounds what peers can make an Interner keep, together with
// MaxShortString.
const internedMost = 512

// String returns string(b).
func (i *Interner) String(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	if s, ok := i.seen[string(b)]; ok {
		return s
	}
	s := string(b)
	if len(s) > MaxShortString {
		return s
	}
	if i.seen == nil || len(i.seen) >= internedMost {
		i.seen = make(map[string]string)
	}
	i.seen[s] = s
	return s
}
