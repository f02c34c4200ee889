package protocol

import "strings"

// IsPlain reports whether a content_encoding says that the body is not encoded.
func IsPlain(encoding string) bool {
	switch strings.ToLower(encoding) {
	case "", "utf-8", "us-ascii", "binary", "identity":
		return true
	default:
		return false
	}
}

// ValidEncoding reports whether a name can be that of an encoding: it is a token of HTTP (RFC
// 9110, section 5.6.2), so that it can stand in a list, and none of the names that mean that
// a body is not encoded.
func ValidEncoding(name string) bool {
	if IsPlain(name) || len(name) > MaxShortString {
		return false
	}
	return !strings.ContainsFunc(name, func(c rune) bool {
		alnum := '0' <= c && c <= '9' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z'
		return !alnum && !strings.ContainsRune("!#$%&'*+-.^_`|~", c)
	})
}
