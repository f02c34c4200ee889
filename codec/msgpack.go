package codec

import (
	"bytes"
	"fmt"
	"io"

	"github.com/vmihailenco/msgpack/v5"
)

// MsgPack is the codec of content type application/msgpack. The zero value is
// ready to use.
type MsgPack struct{}

// ContentType returns "application/msgpack", the name registered with IANA.
func (MsgPack) ContentType() string { return "application/msgpack" }

// Aliases returns the older names that bodies may come under.
func (MsgPack) Aliases() []string {
	return []string{"application/x-msgpack", "application/vnd.msgpack"}
}

// Marshal returns the MessagePack encoding of v.
func (MsgPack) Marshal(v any) ([]byte, error) {
	enc := msgpack.GetEncoder()
	defer msgpack.PutEncoder(enc)
	var buf bytes.Buffer
	enc.Reset(&buf)
	enc.SetCustomStructTag("json")
	enc.UseCompactInts(true)
	if err := enc.Encode(v); err != nil {
		return nil, fmt.Errorf("codec: msgpack: %w", err)
	}
	return buf.Bytes(), nil
}

// Unmarshal decodes the MessagePack value data into what v points to.
func (MsgPack) Unmarshal(data []byte, v any) error {
	r := bytes.NewReader(data)
	dec := msgpack.GetDecoder()
	defer msgpack.PutDecoder(dec)
	dec.Reset(r)
	dec.SetCustomStructTag("json")
	err := dec.Decode(v)
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return fmt.Errorf("codec: msgpack: %w", err)
	}
	if r.Len() > 0 {
		return fmt.Errorf("codec: msgpack: %d bytes after the value", r.Len())
	}
	return nil
}
