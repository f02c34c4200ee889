package codec

import (
	"reflect"
	"sync"
)

// plan is how MsgPack encodes and decodes the values of one Go type, found
// out once.
type plan struct {
	typ    reflect.Type
	encode func(e *encoder, v reflect.Value) error
	decode func(d *decoder, v reflect.Value) error // v can be set
}

// plans caches the plans. A plan is a pure function of its type and never
// changes, so the cache is invisible but for the time it saves; a MsgPack is
// ready to use as a zero value and passed around by value, so it has no place
// for a cache of its own.
var plans sync.Map // reflect.Type → *plan

func planOf(t reflect.Type) *plan {
	if p, ok := plans.Load(t); ok {
		return p.(*plan)
	}
	c := compiler{making: make(map[reflect.Type]*plan)}
	p := c.plan(t)
	// Only now is each of them complete: types may contain one another.
	for t, made := range c.making {
		plans.LoadOrStore(t, made)
	}
	return p
}

// compiler makes the plan of a type and of those that it consists of.
type compiler struct {
	making map[reflect.Type]*plan
}

// plan returns the plan of t, which may still be incomplete: hold on to the
// pointer, and do not look into it before it is used.
func (c *compiler) plan(t reflect.Type) *plan {
	if p, ok := plans.Load(t); ok {
		return p.(*plan)
	}
	if p, ok := c.making[t]; ok {
		return p
	}
	p := &plan{typ: t}
	c.making[t] = p
	c.byKind(p)
	if t.Kind() != reflect.Pointer && t.Kind() != reflect.Interface {
		byMethods(p)
	}
	return p
}

// bare returns a plan for t that calls none of its methods, for a value that
// Go does not let them be called on.
func (c *compiler) bare(t reflect.Type) *plan {
	p := &plan{typ: t}
	if t.Kind() == reflect.Pointer {
		p.encode, p.decode = pointerTo(c.bare(t.Elem()))
	} else {
		c.byKind(p)
	}
	return p
}

// byMethods replaces what the kind of the type would do by what the type
// itself does. Those that know of MessagePack come first, then encoding/json's
// order.
func byMethods(p *plan) {
	switch t := p.typ; {
	case has(t, customEncoderType), has(t, msgpackMarshaler):
		p.encode = encodeCustom
	case t == timeType:
		p.encode = encodeTime
	case t == numberType:
		p.encode = encodeNumber
	case has(t, jsonMarshalerType):
		p.encode = encodeJSONMarshaler
	case has(t, textMarshalerType):
		p.encode = encodeTextMarshaler
	}
	switch t := p.typ; {
	case has(t, customDecoderType), has(t, msgpackUnmarshaler):
		p.decode = decodeCustom
	case t == timeType:
		p.decode = decodeTime
	case t == numberType:
		p.decode = decodeNumber
	case has(t, jsonUnmarshalerType):
		p.decode = decodeJSONUnmarshaler
	case has(t, textUnmarshalerType):
		p.decode = decodeTextUnmarshaler
	}
}

func (c *compiler) byKind(p *plan) {
	switch t := p.typ; t.Kind() {
	case reflect.Bool:
		p.encode, p.decode = encodeBool, decodeBool
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		p.encode, p.decode = encodeInt, decodeInt
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		p.encode, p.decode = encodeUint, decodeUint
	case reflect.Float32, reflect.Float64:
		p.encode, p.decode = encodeFloat, decodeFloat
	case reflect.String:
		p.encode, p.decode = encodeString, decodeString
	case reflect.Interface:
		p.encode, p.decode = encodeInterface, decodeInterface
	case reflect.Pointer:
		c.pointer(p)
	case reflect.Slice:
		c.slice(p)
	case reflect.Array:
		c.array(p)
	case reflect.Map:
		c.mapping(p)
	case reflect.Struct:
		s := c.structPlan(t)
		p.encode, p.decode = s.encode, s.decode
	default:
		p.encode, p.decode = encodeUnsupported, decodeUnsupported
	}
}

func encodeUnsupported(_ *encoder, v reflect.Value) error { return errUnsupported(v.Type()) }

// decodeUnsupported is for types that no value goes into; a nil goes into all,
// and changes nothing.
func decodeUnsupported(d *decoder, v reflect.Value) error {
	c, err := d.code()
	if err != nil || c == codeNil {
		return err
	}
	return d.mismatch(c, v)
}

// isByte reports whether slices and arrays of t are binary data: bytes without
// an encoding of their own.
func isByte(t reflect.Type) bool {
	return t.Kind() == reflect.Uint8 && !has(t, jsonMarshalerType) && !has(t, textMarshalerType) &&
		!has(t, customEncoderType) && !has(t, msgpackMarshaler)
}

// endless reports whether t is a pointer to itself, directly or through other
// pointer types: no value of it ends anywhere but in a nil or a cycle.
func endless(t reflect.Type) bool {
	seen := make(map[reflect.Type]bool)
	for ; t.Kind() == reflect.Pointer; t = t.Elem() {
		if seen[t] {
			return true
		}
		seen[t] = true
	}
	return false
}

func (c *compiler) pointer(p *plan) {
	if endless(p.typ) {
		p.encode, p.decode = encodeUnsupported, decodeUnsupported
		return
	}
	p.encode, p.decode = pointerTo(c.plan(p.typ.Elem()))
}

// pointerTo returns how a pointer to an elem is encoded and decoded.
func pointerTo(elem *plan) (enc func(*encoder, reflect.Value) error, dec func(*decoder, reflect.Value) error) {
	enc = func(e *encoder, v reflect.Value) error {
		if v.IsNil() {
			e.buf = appendNil(e.buf)
			return nil
		}
		return elem.encode(e, v.Elem())
	}
	dec = func(d *decoder, v reflect.Value) error {
		if d.peek() == codeNil {
			d.pos++
			if v.CanSet() {
				v.SetZero()
			}
			return nil
		}
		if v.IsNil() {
			if !v.CanSet() {
				return errUnexportedEmbedded(v.Type().Elem())
			}
			v.Set(reflect.New(elem.typ))
		}
		return elem.decode(d, v.Elem())
	}
	return enc, dec
}
