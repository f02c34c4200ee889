package protocol

import "bytes"

// IsEncoding reports whether a content_encoding says that the body has to be decoded
// before its content type can be. This protocol has no such encoding.
func IsEncoding(contentEncoding []byte) bool {
	switch string(bytes.ToLower(contentEncoding)) {
	case "", "utf-8", "us-ascii", "binary", "identity":
		return false
	default:
		return true
	}
}
