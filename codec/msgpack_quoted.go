package codec

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strconv"
)

// quoted returns the plan for a field with the option ",string": a scalar, or
// a pointer to one, which stands in the object as a string with what JSON
// would write.
func (c *compiler) quoted(t reflect.Type) *plan {
	p := &plan{typ: t, encode: encodeQuoted, decode: decodeQuoted}
	if t.Kind() == reflect.Pointer {
		p.encode, _ = pointerTo(&plan{encode: encodeQuoted})
	}
	return p
}

func encodeQuoted(e *encoder, v reflect.Value) error {
	var scratch [32]byte
	text := scratch[:0]
	switch k := v.Kind(); {
	case k == reflect.Bool:
		text = strconv.AppendBool(text, v.Bool())
	case v.CanInt():
		text = strconv.AppendInt(text, v.Int(), 10)
	case v.CanUint():
		text = strconv.AppendUint(text, v.Uint(), 10)
	case v.CanFloat():
		if !isFinite(v.Float()) {
			return errNotFinite
		}
		text = appendJSONFloat(text, v.Float(), v.Type().Bits())
	case v.Type() == numberType:
		s := v.String()
		if s == "" {
			s = "0"
		}
		if !validNumber(s) {
			return errInvalidNumber(s)
		}
		text = append(text, s...)
	default:
		text = appendJSONString(text, v.String())
	}
	e.buf = appendString(e.buf, text)
	return nil
}

// decodeQuoted decodes what quoted describes. As in JSON, "null" in the string
// is a nil too.
func decodeQuoted(d *decoder, v reflect.Value) error {
	c, err := d.code()
	if err != nil {
		return err
	}
	text := "null"
	switch kindOf(c) {
	case kindNil:
	case kindString:
		b, err := d.bytes(c)
		if err != nil {
			return err
		}
		text = string(b)
	default:
		return fmt.Errorf("%w, which its tag wants in a string", d.mismatch(c, v))
	}
	if v.Kind() == reflect.Pointer {
		if text == "null" {
			v.SetZero()
			return nil
		}
		if v.IsNil() {
			v.Set(reflect.New(v.Type().Elem()))
		}
		v = v.Elem()
	}
	if text == "null" {
		return nil
	}
	return setQuoted(v, text)
}

// setQuoted sets the scalar v to what JSON writes as text.
func setQuoted(v reflect.Value, text string) error {
	invalid := errKind(quoteShort(text), v.Type())
	switch k := v.Kind(); {
	case k == reflect.Bool:
		if text != "true" && text != "false" {
			return invalid
		}
		v.SetBool(text == "true")
	case v.Type() == numberType:
		if !validNumber(text) {
			return invalid
		}
		v.SetString(text)
	case k == reflect.String:
		var s string
		if err := json.Unmarshal([]byte(text), &s); err != nil {
			return invalid
		}
		v.SetString(s)
	case v.CanFloat():
		if text == "" || numberLen(text) != len(text) {
			return invalid
		}
		f, err := strconv.ParseFloat(text, v.Type().Bits())
		if errors.Is(err, strconv.ErrRange) {
			return errRange(printable(text), v.Type())
		} else if err != nil {
			return invalid
		}
		v.SetFloat(f)
	case !isInteger(text):
		return invalid
	case v.CanInt():
		return decodeIntKey([]byte(text), v)
	default:
		return decodeUintKey([]byte(text), v)
	}
	return nil
}

func errInvalidNumber(s string) error {
	return fmt.Errorf("%s is not a number", quoteShort(s))
}
