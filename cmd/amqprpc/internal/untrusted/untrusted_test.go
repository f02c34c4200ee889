package untrusted_test

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/cmd/amqprpc/internal/untrusted"
)

func TestText(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"":                        "",
		"Tee für 3 €":             "Tee für 3 €",
		"a\nb\tc\r":               `a\nb\tc\r`,
		"\x1b[31mred\x1b[0m":      `\x1b[31mred\x1b[0m`,
		"\u009b31m":               `\u009b31m`,
		"abc\u202egnp.exe":        `abc\u202egnp.exe`,
		"zero\u200bwidth":         `zero\u200bwidth`,
		"\xff\x00\x7f":            `\xff\x00\x7f`,
		"tag\U000e0041":           `tag\U000e0041`,
		strings.Repeat("é", 300):  strings.Repeat("é", 255) + "…",
		strings.Repeat("\x1b", 9): strings.Repeat(`\x1b`, 9),
	} {
		require.Equal(t, want, untrusted.Text(in, untrusted.Name), "%q", in)
	}
}

func TestJSON(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"", "ü €", "\u009b31m\u202e", "a\x7fb", "\U000e0041", "\u2028"} {
		b := `{"a":"` + s + "\", \n\"b\":1}"
		out := untrusted.JSON([]byte(b))
		require.JSONEq(t, b, string(out))
	}
	require.True(t, json.Valid(untrusted.JSON([]byte("\"\xff\""))))
}

func FuzzText(f *testing.F) {
	f.Add("\x1b]0;title\a", 10)
	f.Fuzz(func(t *testing.T, s string, limit int) {
		limit = min(max(limit, 0), 1000)
		out := untrusted.Text(s, limit)
		if i := strings.IndexFunc(out, func(r rune) bool { return !unicode.IsPrint(r) }); i >= 0 {
			t.Errorf("%q: not printable at %d", out, i)
		}
		if len(out) > 10*limit+len("…") {
			t.Errorf("%d bytes for %d characters", len(out), limit)
		}
	})
}
