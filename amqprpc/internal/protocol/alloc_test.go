package protocol

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/frame"
)

// Each call passes through these four times. The tests are not parallel, since
// AllocsPerRun counts the allocations of all goroutines.
func TestAppendDoesNotAllocate(t *testing.T) {
	buf := make([]byte, 0, 1024)
	now := time.Now()
	usual, resent := usualRequest(), resentRequest()
	failed := errorReply()
	described := Reply{ContentType: "application/json", CorrelationID: "ab", Header: map[string]string{"a": "b", "c": "d"}}
	for name, f := range map[string]func(){
		"usual request":         func() { usual.Append(buf, now) },
		"request with metadata": func() { resent.Append(buf, now) },
		"error":                 func() { failed.Append(buf) },
		"reply with metadata":   func() { described.Append(buf) },
		"requeued":              func() { usual.AppendRequeued(buf, 2, "server", now) },
		"batch":                 func() { AppendBatched(buf, []byte(goldenError), []byte("1")) },
	} {
		require.Zero(t, testing.AllocsPerRun(100, f), name)
	}
}

func TestParseHardlyAllocates(t *testing.T) {
	var s Interner
	var r Request
	usual := usualRequest()
	usual.CorrelationID, usual.MessageID = "mZ3Jx0Qq7bT1kL2h1f", "mZ3Jx0Qq7bT1kL2h1f"
	p := parsed(t, usual.Append(nil, noon))
	require.NoError(t, r.Parse(p, &s))
	require.LessOrEqual(t, testing.AllocsPerRun(100, func() { _ = r.Parse(p, &s) }), 1.0, "request")
	require.Zero(t, testing.AllocsPerRun(100, func() { _ = r.End(noon, time.Second) }))

	var reply Reply
	result := Reply{ContentType: "application/json", CorrelationID: "mZ3Jx0Qq7bT1kL2h1f"}
	for name, raw := range map[string][]byte{"result": result.Append(nil), "error": []byte(goldenError), "heartbeat": []byte(goldenHeartbeat)} {
		p := parsed(t, raw)
		reply.Parse(p, &s)
		require.Zero(t, testing.AllocsPerRun(100, func() { reply.Parse(p, &s) }), name)
	}
	id := []byte("mZ3Jx0Qq7bT1kL2h1f.2")
	require.Zero(t, testing.AllocsPerRun(100, func() { ParseCorrelationID("mZ3Jx0Qq7bT1kL2h", id) }))
}

func BenchmarkRequest(b *testing.B) {
	usual := usualRequest()
	buf := make([]byte, 0, 1024)
	b.Run("append", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			buf = usual.Append(buf[:0], noon)
		}
	})
	b.Run("parse", func(b *testing.B) {
		var s Interner
		raw := usual.Append(nil, noon)
		b.ReportAllocs()
		for b.Loop() {
			var p frame.Properties
			var r Request
			if p.Parse(raw) != nil || r.Parse(&p, &s) != nil {
				b.Fatal("malformed")
			}
		}
	})
}
