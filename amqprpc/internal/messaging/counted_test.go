package messaging

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCounted(t *testing.T) {
	t.Parallel()
	require.Equal(t, "0 requests", Counted(0, "request"))
	require.Equal(t, "1 request", Counted(1, "request"))
	require.Equal(t, "2 requests", Counted(2, "request"))
}
