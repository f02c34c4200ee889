package amqptest

import (
	"strings"
	"unicode/utf8"
)

// What RabbitMQ makes of the names in methods.

// validString reports whether RabbitMQ takes a method's short string for UTF-8. Before 4.3
// it does not mind surrogates, nor what is beyond the last code point. It does not look at
// the strings of basic.publish.
func (v Version) validString(s []byte) bool {
	for len(s) > 0 {
		r, n := utf8.DecodeRune(s)
		if r == utf8.RuneError && n <= 1 {
			if n = laxRune(s); n == 0 || v >= RabbitMQ43 {
				return false
			}
		}
		s = s[n:]
	}
	return true
}

// laxRune is the length of a surrogate, or of a code point that does not exist, at the front
// of s; zero if there is none.
func laxRune(s []byte) int {
	n := 0
	switch {
	case len(s) >= 3 && s[0] == 0xed:
		n = 3
	case len(s) >= 4 && s[0] >= 0xf4 && s[0] <= 0xf7:
		n = 4
	}
	for i := 1; i < n; i++ {
		if s[i]&0xc0 != 0x80 {
			return 0
		}
	}
	return n
}

// printed is how a reply text is written. Since 4.0 one that is not UTF-8 is taken for
// Latin-1.
func (v Version) printed(text string) string {
	if v < RabbitMQ40 || utf8.ValidString(text) {
		return text
	}
	text = strings.TrimSuffix(text, ellipsis)
	runes := make([]rune, len(text))
	for i := range len(text) {
		runes[i] = rune(text[i])
	}
	return shorten(string(runes))
}

var newlines = strings.NewReplacer("\n", "", "\r", "")

// stripNewlines does to the names of queues and exchanges what RabbitMQ does when they are
// declared, deleted or bound: line ends vanish.
func stripNewlines(name string) string {
	if strings.ContainsAny(name, "\r\n") {
		return newlines.Replace(name)
	}
	return name
}
