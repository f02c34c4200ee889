package codec_test

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/codec"
)

// Short encodings share memory. None changes when another is made or appended to.
func TestShortEncodingsAreApart(t *testing.T) {
	t.Parallel()
	var all [][]byte
	for i := range 200 {
		b, err := codec.JSON{}.Marshal(i)
		require.NoError(t, err)
		all = append(all, b, append(b, "appended"...))
	}
	for i := range 200 {
		require.Equal(t, strconv.Itoa(i), string(all[2*i]))
		require.Equal(t, strconv.Itoa(i)+"appended", string(all[2*i+1]))
	}
}
