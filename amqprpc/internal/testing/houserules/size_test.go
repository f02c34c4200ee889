package houserules

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// frameworkMost is the most lines of code that the framework may have, without blank lines
// and comments.
const frameworkMost = 11900

// The framework, without its test broker, frames and test tools, must stay small enough for
// one person to know.
func TestSizeOfTheFramework(t *testing.T) {
	t.Parallel()
	lines := 0
	for _, f := range files(t) {
		switch dir := f.dir() + "/"; {
		case !strings.HasPrefix(dir, "amqprpc/"),
			strings.HasPrefix(dir, "amqprpc/amqptest/"), strings.HasPrefix(dir, "amqprpc/internal/frame/"), strings.HasPrefix(dir, "amqprpc/internal/testing/"):
		default:
			lines += f.code
		}
	}
	require.Greater(t, lines, frameworkMost/2)
	require.LessOrEqual(t, lines, frameworkMost)
	t.Logf("%d lines", lines)
}
