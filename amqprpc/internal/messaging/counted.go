package messaging

import "strconv"

// Counted returns a number with a noun for a text: "1 request", "2 requests". The plural of
// the noun ends in s.
func Counted(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return strconv.Itoa(n) + " " + noun
}
