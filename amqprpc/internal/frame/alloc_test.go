package frame

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
)

// The frames that carry messages need no allocation in either direction.
func TestHotFramesDoNotAllocate(t *testing.T) {
	p := everyProperty()
	props := p.Append(nil)
	body := bytes.Repeat([]byte("x"), 1000)
	publish := BasicPublish{Exchange: []byte("exchange"), RoutingKey: []byte("key"), Mandatory: true}
	deliver := BasicDeliver{ConsumerTag: []byte("tag"), DeliveryTag: 7, Exchange: []byte("exchange"), RoutingKey: []byte("key")}
	ack, nack, reject := BasicAck{DeliveryTag: 7}, BasicNack{DeliveryTag: 8}, BasicReject{DeliveryTag: 9}

	buf := make([]byte, 0, 16<<10)
	encode := func() {
		buf = publish.AppendFrame(buf[:0], 1)
		buf = deliver.AppendFrame(buf, 1)
		buf = ack.AppendFrame(buf, 1)
		buf = nack.AppendFrame(buf, 1)
		buf = reject.AppendFrame(buf, 1)
		buf = AppendHeader(buf, 1, uint64(len(body)), props)
		buf = AppendBody(buf, 1, 131072, body)
		buf = AppendHeartbeat(buf)
	}
	require.Zero(t, testing.AllocsPerRun(100, encode))

	src := bytes.NewReader(nil)
	r := NewReader(src, 131072)
	decode := func() {
		src.Reset(buf)
		for range 8 {
			f, err := r.Next()
			if err != nil || !decodeHot(f) {
				panic(err)
			}
		}
	}
	require.Zero(t, testing.AllocsPerRun(100, decode))
	require.Zero(t, testing.AllocsPerRun(100, func() { _, _ = FindField(p.Headers, "absent") }))
}

// decodeHot decodes a frame like the hot path of a client or a broker.
func decodeHot(f Frame) bool {
	switch f.Type {
	case TypeHeader:
		h, ok := ParseHeader(f.Payload)
		var p Properties
		return ok && p.Parse(h.Properties) == nil
	case TypeBody, TypeHeartbeat:
		return true
	}
	id, fields, ok := MethodID(f.Payload)
	if !ok {
		return false
	}
	switch id {
	case IDBasicPublish:
		var m BasicPublish
		return m.Parse(fields)
	case IDBasicDeliver:
		var m BasicDeliver
		return m.Parse(fields)
	case IDBasicAck:
		var m BasicAck
		return m.Parse(fields)
	case IDBasicNack:
		var m BasicNack
		return m.Parse(fields)
	case IDBasicReject:
		var m BasicReject
		return m.Parse(fields)
	}
	return false
}

func BenchmarkDeliver(b *testing.B) {
	p := everyProperty()
	props := p.Append(nil)
	body := bytes.Repeat([]byte("x"), 100)
	m := BasicDeliver{ConsumerTag: []byte("tag"), DeliveryTag: 7, Exchange: []byte("exchange"), RoutingKey: []byte("key")}
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		buf = m.AppendFrame(buf[:0], 1)
		buf = AppendHeader(buf, 1, uint64(len(body)), props)
		buf = AppendBody(buf, 1, 131072, body)
	}
	src := bytes.NewReader(nil)
	r := NewReader(src, 131072)
	b.Run("read", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			src.Reset(buf)
			for range 3 {
				if f, err := r.Next(); err != nil || !decodeHot(f) {
					b.Fatal(err)
				}
			}
		}
	})
}
