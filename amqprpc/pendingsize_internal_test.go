package amqprpc

import (
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
)

// A pending call with strings for messages fits the runtime's size class of 768 bytes, 8 of
// which are the runtime's own.
//
// A pending call has about 190 bytes beside that: its channel (112), its places in the table
// and in the alarm clock (42), its id (24), and its body. To see them, run rpcbench -scenarios
// memory -cpuprofile with a directory: it writes heap profiles, too.
func TestSizeOfAPendingCall(t *testing.T) {
	t.Parallel()
	if unsafe.Sizeof(uintptr(0)) != 8 {
		t.Skip("the sizes are those of 64-bit platforms")
	}
	require.LessOrEqual(t, unsafe.Sizeof(typedCall[string, string]{}), uintptr(768-8))
	require.Zero(t, unsafe.Sizeof(pendingShard{})%64, "neighbours share a cache line")
}
