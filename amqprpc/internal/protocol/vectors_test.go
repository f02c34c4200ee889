package protocol

import (
	"encoding/hex"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var (
	hexBlock   = regexp.MustCompile("(?s)```hex\n(.*?)```")
	hexComment = regexp.MustCompile(`(?m)#.*$`)
)

// The test vectors of docs/protocol.md are the golden bytes.
func TestVectorsOfTheProtocolPage(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../../docs/protocol.md")
	require.NoError(t, err)
	var vectors []string
	for _, m := range hexBlock.FindAllSubmatch(page, -1) {
		digits := strings.Join(strings.Fields(hexComment.ReplaceAllString(string(m[1]), "")), "")
		raw, err := hex.DecodeString(digits)
		require.NoError(t, err)
		vectors = append(vectors, string(raw))
	}
	require.Equal(t, []string{
		goldenRequest, goldenError, goldenHeartbeat, goldenBroadcast, goldenAccept, goldenBatch,
		goldenOpening, goldenStreamProperties, goldenAnswers, goldenState, goldenProbe, goldenReset, goldenBeat, goldenTwoStreams, goldenCompressed, goldenGzip,
	}, vectors)
}
