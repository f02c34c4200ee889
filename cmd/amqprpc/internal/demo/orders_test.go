package demo

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// The examples name old orders. They work from the first second, and after many orders.
func TestOldOrdersStay(t *testing.T) {
	t.Parallel()
	o := newOrders()
	for range 2 * maxOrders {
		for _, id := range []string{"A-1000", "A-1039"} {
			require.Contains(t, o.all, id)
		}
		o.keep(Receipt{})
	}
	require.Len(t, o.all, maxOrders+oldOrders)
	require.NotContains(t, o.all, "A-1040", "the oldest order of a customer")
}
