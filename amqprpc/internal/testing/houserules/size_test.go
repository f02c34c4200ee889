package houserules

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// frameworkMost is the most lines of code that the framework may have, without blank lines
// and comments. That is about 3 % more than it has with streams, broadcasts, compression,
// identity and attempts at once: a repair fits, and a feature has to give its reason here.
//
// Discovery added 900: the questions and answers, a server's description with its options, what
// is counted for each queue, the documents with their histograms, package discovery, and the
// timing of calls. They are what command line and page stand on, and nothing else tells what
// runs.
//
// AsyncAPI documents added 650: the parts of a document, schemas that move into it, and one
// description of servers of many versions. They need no library, and programs in other
// languages see a service by them.
//
// Channels that queues share added 200: the places on a channel, the end of one queue beside
// the others, and the declarations, which must not cost a channel. They are what a server of
// many queues needs to be as fast as a server of one.
//
// Reading a connection from the end of the handshake on added 100: heartbeats, and the refusal of
// what a broker must not send.
//
// Streams of a client that take no goroutine added 100. An idle stream is half as large.
//
// Messages of several streams added 60. A hundred streams of small messages are 1.3 to 1.7 times as fast.
const frameworkMost = 15_770

// codecMost is the most lines that package codec may have, with blank lines and comments, and
// strictMost is the share of the layer that makes msgpack strict.
const (
	codecMost  = 1300
	strictMost = 500
)

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

// The codecs stay small beside the libraries that they stand on.
func TestSizeOfCodec(t *testing.T) {
	t.Parallel()
	all, strict := 0, 0
	for _, f := range files(t) {
		switch f.name {
		case "codec/walk.go", "codec/plan.go", "codec/token.go":
			strict += f.lines
		}
		if f.dir() == "codec" {
			all += f.lines
		}
	}
	require.Greater(t, strict, strictMost/2)
	require.LessOrEqual(t, strict, strictMost)
	require.Greater(t, all, codecMost/2)
	require.LessOrEqual(t, all, codecMost)
	t.Logf("%d lines, %d of them strict", all, strict)
}
