package amqprpc

import (
	"strings"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
)

// A kind of error does not keep the whole text of its error in memory.
func TestFailuresKeepShortTexts(t *testing.T) {
	t.Parallel()
	var f failures
	for i := range 2 * failureKinds { // the later ones replace the first
		text := strings.Repeat(string(rune('a'+i)), 1<<20)
		f.add("internal", text)
		kept := f.snapshot()[0]
		require.Equal(t, text[:failureText], kept.Message)
		require.NotSame(t, unsafe.StringData(text), unsafe.StringData(kept.Message))
	}
}
