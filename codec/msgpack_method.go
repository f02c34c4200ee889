package codec

import (
	"bytes"
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"

	"github.com/vmihailenco/msgpack/v5"
)

// hasMethods reports whether a type, or what it points to, has an encoding of
// its own.
func hasMethods(t reflect.Type) bool {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	for _, iface := range []reflect.Type{
		customEncoderType, customDecoderType, msgpackMarshaler, msgpackUnmarshaler,
		jsonMarshalerType, jsonUnmarshalerType, textMarshalerType, textUnmarshalerType,
	} {
		if has(t, iface) {
			return true
		}
	}
	return false
}

// Write and WriteByte make the encoder what msgpack's own encoder writes to.
func (e *encoder) Write(p []byte) (int, error) {
	e.buf = append(e.buf, p...)
	return len(p), nil
}

func (e *encoder) WriteByte(c byte) error {
	e.buf = append(e.buf, c)
	return nil
}

// encodeCustom leaves the value to its own methods for MessagePack, by way of
// msgpack's encoder, which knows of registered extensions too.
func encodeCustom(e *encoder, v reflect.Value) error {
	m := msgpack.GetEncoder()
	defer msgpack.PutEncoder(m)
	m.Reset(e)
	m.SetCustomStructTag("json")
	m.SetSortMapKeys(true)
	m.UseCompactInts(true)
	return m.EncodeValue(addressable(v))
}

// decodeCustom leaves the value to its own methods for MessagePack.
func decodeCustom(d *decoder, v reflect.Value) error { return d.foreign(v) }

// foreign decodes with msgpack's decoder. It follows a body wherever it leads,
// into any depth and to lengths that are not there: check has seen to those.
func (d *decoder) foreign(v reflect.Value) (err error) {
	r := bytes.NewReader(d.data[d.pos:])
	m := msgpack.GetDecoder()
	m.Reset(r)
	m.SetCustomStructTag("json")
	m.DisallowUnknownFields(d.options.DisallowUnknownFields)
	defer func() {
		// msgpack panics on a few malformed bodies (a map as a map's key), and
		// so do methods written with good bodies in mind.
		if p := recover(); p != nil {
			err = fmt.Errorf("decoding %s panicked: %v", v.Type(), p)
		}
	}()
	if err := m.DecodeValue(v); err != nil {
		return err
	}
	msgpack.PutDecoder(m)
	d.pos = len(d.data) - r.Len()
	return nil
}

func encodeTextMarshaler(e *encoder, v reflect.Value) error {
	text, err := addressOf(v).(encoding.TextMarshaler).MarshalText()
	if err != nil {
		return fmt.Errorf("MarshalText of %s: %w", v.Type(), err)
	}
	e.buf = appendString(e.buf, text)
	return nil
}

// decodeTextUnmarshaler hands a string to UnmarshalText. Binary data, which is
// what other programs that use msgpack make of such a type, goes to
// UnmarshalBinary if there is one.
func decodeTextUnmarshaler(d *decoder, v reflect.Value) error {
	c, err := d.code()
	if err != nil {
		return err
	}
	target := v.Addr().Interface()
	switch kindOf(c) {
	case kindString, kindBinary:
		b, err := d.bytes(c)
		if err != nil {
			return err
		}
		if u, ok := target.(encoding.BinaryUnmarshaler); ok && kindOf(c) == kindBinary {
			return u.UnmarshalBinary(b)
		}
		return target.(encoding.TextUnmarshaler).UnmarshalText(b)
	case kindExt:
		typ, payload, err := d.ext(c)
		if err != nil {
			return err
		}
		t, err := timestamp(typ, payload)
		if err != nil {
			return err
		}
		text, err := t.MarshalText()
		if err != nil {
			return err
		}
		return target.(encoding.TextUnmarshaler).UnmarshalText(text)
	case kindNil:
		return nil
	}
	return d.mismatch(c, v)
}

func encodeJSONMarshaler(e *encoder, v reflect.Value) error {
	text, err := addressOf(v).(json.Marshaler).MarshalJSON()
	if err != nil {
		return fmt.Errorf("MarshalJSON of %s: %w", v.Type(), err)
	}
	if err := e.transcode(text); err != nil {
		return fmt.Errorf("MarshalJSON of %s: %w", v.Type(), err)
	}
	return nil
}

// decodeJSONUnmarshaler hands the value to UnmarshalJSON, as JSON.
func decodeJSONUnmarshaler(d *decoder, v reflect.Value) error {
	target := v.Addr().Interface()
	if c := d.peek(); kindOf(c) == kindBinary {
		if u, ok := target.(encoding.BinaryUnmarshaler); ok {
			d.pos++
			b, err := d.bytes(c)
			if err != nil {
				return err
			}
			return u.UnmarshalBinary(b)
		}
	}
	text, err := d.transcode(d.json[:0])
	if err != nil {
		return err
	}
	d.json = text
	return target.(json.Unmarshaler).UnmarshalJSON(text)
}
