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
	if t.Kind() == reflect.Pointer {
		elem := c.quoted(t.Elem())
		p := &plan{typ: t}
		p.encode, p.decode = pointerTo(elem)
		return p
	}
	return &plan{typ: t, encode: encodeQuoted, decode: decodeQuoted}
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

// decodeQuoted decodes the string, which is JSON, by encoding/json.
func decodeQuoted(d *decoder, v reflect.Value) error {
	c, err := d.code()
	if err != nil {
		return err
	}
	switch kindOf(c) {
	case kindNil:
		return nil
	case kindString:
	default:
		return fmt.Errorf("%w, which its tag wants in a string", d.mismatch(c, v))
	}
	b, err := d.bytes(c)
	if err != nil {
		return err
	}
	err = json.Unmarshal(b, v.Addr().Interface())
	var typ *json.UnmarshalTypeError
	switch {
	case errors.As(err, &typ):
		return jsonReason(err)
	case err != nil:
		return errKind(quoteShort(string(b)), v.Type())
	}
	return nil
}

func errInvalidNumber(s string) error {
	return fmt.Errorf("%s is not a number", quoteShort(s))
}
