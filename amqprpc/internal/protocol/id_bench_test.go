package protocol

import "testing"

// BenchmarkCorrelationID is a correlation id, made and read again.
func BenchmarkCorrelationID(b *testing.B) {
	const prefix = "0123456789abcdef0123456789abcdef-"
	number := uint64(1 << 20)
	b.ReportAllocs()
	for b.Loop() {
		number++
		if n, _, ok := ParseCorrelationID(prefix, []byte(CorrelationID(prefix, number, 1))); !ok || n != number {
			b.Fatal("the id does not read as it was made")
		}
	}
}
