package codec

import (
	"encoding/json"
	"math"
	"reflect"
	"strconv"
	"time"
)

func encodeBool(e *encoder, v reflect.Value) error {
	e.buf = appendBool(e.buf, v.Bool())
	return nil
}

func encodeInt(e *encoder, v reflect.Value) error {
	e.buf = appendInt(e.buf, v.Int())
	return nil
}

func encodeUint(e *encoder, v reflect.Value) error {
	e.buf = appendUint(e.buf, v.Uint())
	return nil
}

func encodeFloat(e *encoder, v reflect.Value) error {
	f := v.Float()
	if !isFinite(f) {
		return errNotFinite
	}
	if v.Kind() == reflect.Float32 {
		e.buf = appendFloat32(e.buf, float32(f))
	} else {
		e.buf = appendFloat64(e.buf, f)
	}
	return nil
}

func encodeString(e *encoder, v reflect.Value) error {
	e.buf = appendString(e.buf, v.String())
	return nil
}

// encodeNumber encodes a json.Number; an empty one is zero, as in JSON.
func encodeNumber(e *encoder, v reflect.Value) error {
	s := v.String()
	if s == "" {
		s = "0"
	}
	if !validNumber(s) {
		return errInvalidNumber(s)
	}
	e.buf = appendNumber(e.buf, s)
	return nil
}

// encodeTime encodes a time.Time as JSON does, as a string in RFC 3339:
// MessagePack's timestamp would lose the offset from UTC.
func encodeTime(e *encoder, v reflect.Value) error {
	t := addressOf(v).(*time.Time)
	var scratch [len(time.RFC3339Nano) + 8]byte
	text, err := t.AppendText(scratch[:0])
	if err != nil {
		return err
	}
	e.buf = appendString(e.buf, text)
	return nil
}

func decodeBool(d *decoder, v reflect.Value) error {
	c, err := d.code()
	if err != nil {
		return err
	}
	switch c {
	case codeTrue, codeFalse:
		v.SetBool(c == codeTrue)
	case codeNil:
	default:
		return d.mismatch(c, v)
	}
	return nil
}

func decodeInt(d *decoder, v reflect.Value) error {
	c, err := d.code()
	if err != nil {
		return err
	}
	if c <= codePosFixedHigh {
		v.SetInt(int64(c))
		return nil
	}
	n, ok, err := d.anyInteger(c, v)
	if !ok || err != nil {
		return err
	}
	i := int64(n.bits)
	if !n.negative && n.bits > math.MaxInt64 || v.OverflowInt(i) {
		return errRange(n.String(), v.Type())
	}
	v.SetInt(i)
	return nil
}

func decodeUint(d *decoder, v reflect.Value) error {
	c, err := d.code()
	if err != nil {
		return err
	}
	if c <= codePosFixedHigh {
		v.SetUint(uint64(c))
		return nil
	}
	n, ok, err := d.anyInteger(c, v)
	if !ok || err != nil {
		return err
	}
	if n.negative || v.OverflowUint(n.bits) {
		return errRange(n.String(), v.Type())
	}
	v.SetUint(n.bits)
	return nil
}

// anyInteger reads what is left of the integer that begins with c and is meant
// for v; ok is false for a nil, which leaves v as it is.
func (d *decoder) anyInteger(c byte, v reflect.Value) (n integer, ok bool, err error) {
	switch kindOf(c) {
	case kindInt:
		n, err = d.integer(c)
	case kindExt:
		n, err = d.extInteger(c, v)
	case kindNil:
		return n, false, nil
	default:
		err = d.mismatch(c, v)
	}
	return n, true, err
}

// extInteger reads what is left of an extension that begins with c where an
// integer should be. Our extension for numbers normally has one that no
// integer type of Go can hold.
func (d *decoder) extInteger(c byte, v reflect.Value) (integer, error) {
	typ, payload, err := d.ext(c)
	if err != nil {
		return integer{}, err
	}
	s := string(payload)
	if typ != extNumber || !validNumber(s) {
		return integer{}, errKind(kindExt.String(), v.Type())
	}
	native := reader{data: appendNumber(nil, s)}
	switch c, _ := native.code(); {
	case kindOf(c) == kindInt:
		return native.integer(c)
	case !isInteger(s):
		return integer{}, errKind(printable(s), v.Type())
	}
	return integer{}, errRange(printable(s), v.Type())
}

func decodeFloat(d *decoder, v reflect.Value) error {
	c, err := d.code()
	if err != nil {
		return err
	}
	var f float64
	switch kindOf(c) {
	case kindFloat:
		f, err = d.float(c)
	case kindInt:
		var n integer
		n, err = d.integer(c)
		f = n.float64()
	case kindExt:
		f, err = d.extFloat(c, v)
	case kindNil:
		return nil
	default:
		return d.mismatch(c, v)
	}
	if err != nil {
		return err
	}
	if v.Kind() == reflect.Float32 && math.IsInf(float64(float32(f)), 0) {
		return errRange(string(appendJSONFloat(nil, f, 64)), v.Type())
	}
	v.SetFloat(f)
	return nil
}

func (d *decoder) extFloat(c byte, v reflect.Value) (float64, error) {
	typ, payload, err := d.ext(c)
	if err != nil {
		return 0, err
	}
	s := string(payload)
	if typ != extNumber || !validNumber(s) {
		return 0, errKind(kindExt.String(), v.Type())
	}
	f, err := strconv.ParseFloat(s, v.Type().Bits())
	if err != nil {
		return 0, errRange(printable(s), v.Type())
	}
	return f, nil
}

func decodeString(d *decoder, v reflect.Value) error {
	c, err := d.code()
	if err != nil {
		return err
	}
	switch kindOf(c) {
	case kindString, kindBinary:
		b, err := d.bytes(c)
		if err != nil {
			return err
		}
		v.SetString(string(b))
		return nil
	case kindNil:
		return nil
	}
	return d.mismatch(c, v)
}

// decodeNumber decodes into a json.Number, which takes a number in a string
// too, as it does in JSON.
func decodeNumber(d *decoder, v reflect.Value) error {
	c, err := d.code()
	if err != nil {
		return err
	}
	switch kindOf(c) {
	case kindNil:
		return nil
	case kindInt, kindFloat, kindExt:
		n, err := d.number(c)
		if err != nil {
			return err
		}
		v.SetString(string(n))
		return nil
	case kindString:
		b, err := d.bytes(c)
		if err != nil {
			return err
		}
		if s := string(b); validNumber(s) {
			v.SetString(s)
			return nil
		}
		return errInvalidNumber(string(b))
	}
	return d.mismatch(c, v)
}

// number reads what is left of a number of any kind that begins with c, as
// JSON would write it.
func (d *decoder) number(c byte) (json.Number, error) {
	switch kindOf(c) {
	case kindInt:
		n, err := d.integer(c)
		return json.Number(n.String()), err
	case kindFloat:
		bits := 64
		if c == codeFloat32 {
			bits = 32
		}
		f, err := d.float(c)
		return json.Number(appendJSONFloat(nil, f, bits)), err
	}
	typ, payload, err := d.ext(c)
	if err != nil {
		return "", err
	}
	if typ != extNumber || !validNumber(string(payload)) {
		return "", errKind(kindExt.String(), numberType)
	}
	return json.Number(payload), nil
}

func decodeTime(d *decoder, v reflect.Value) error {
	c, err := d.code()
	if err != nil {
		return err
	}
	t := v.Addr().Interface().(*time.Time)
	switch kindOf(c) {
	case kindString:
		b, err := d.bytes(c)
		if err != nil {
			return err
		}
		return t.UnmarshalText(b)
	case kindExt:
		typ, payload, err := d.ext(c)
		if err != nil {
			return err
		}
		*t, err = timestamp(typ, payload)
		return err
	case kindNil:
		return nil
	}
	return d.mismatch(c, v)
}
