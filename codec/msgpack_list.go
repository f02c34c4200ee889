package codec

import (
	"reflect"
)

func (c *compiler) slice(p *plan) {
	elem := c.plan(p.typ.Elem())
	p.encode = func(e *encoder, v reflect.Value) error {
		if v.IsNil() {
			e.buf = appendNil(e.buf)
			return nil
		}
		return e.list(v, elem)
	}
	p.decode = func(d *decoder, v reflect.Value) error {
		return d.slice(v, elem)
	}
	if isByte(p.typ.Elem()) {
		list := p.decode
		p.encode = encodeBytes
		p.decode = func(d *decoder, v reflect.Value) error {
			return d.bytesOr(v, list)
		}
	}
}

func (c *compiler) array(p *plan) {
	elem := c.plan(p.typ.Elem())
	p.encode = func(e *encoder, v reflect.Value) error {
		return e.list(v, elem)
	}
	p.decode = func(d *decoder, v reflect.Value) error {
		return d.array(v, elem)
	}
	if isByte(p.typ.Elem()) {
		list := p.decode
		p.encode = encodeByteArray
		p.decode = func(d *decoder, v reflect.Value) error {
			return d.bytesOr(v, list)
		}
	}
}

// list encodes the elements of a slice or an array.
func (e *encoder) list(v reflect.Value, elem *plan) error {
	if err := e.enter(); err != nil {
		return err
	}
	n := v.Len()
	e.buf = appendArrayHead(e.buf, n)
	for i := range n {
		if err := elem.encode(e, v.Index(i)); err != nil {
			return inIndex(err, i)
		}
	}
	e.leave()
	return nil
}

func encodeBytes(e *encoder, v reflect.Value) error {
	if v.IsNil() {
		e.buf = appendNil(e.buf)
	} else {
		e.buf = appendBinary(e.buf, v.Bytes())
	}
	return nil
}

func encodeByteArray(e *encoder, v reflect.Value) error {
	e.buf = appendBinary(e.buf, addressable(v).Bytes())
	return nil
}

// bytesOr decodes binary data, or a string, whose bytes are taken as they
// are, into a slice or an array of bytes, and leaves all else to list: other
// languages send bytes as an array of numbers.
func (d *decoder) bytesOr(v reflect.Value, list func(*decoder, reflect.Value) error) error {
	c := d.peek()
	if k := kindOf(c); k != kindBinary && k != kindString {
		return list(d, v)
	}
	d.pos++
	b, err := d.bytes(c)
	if err != nil {
		return err
	}
	if v.Kind() == reflect.Slice {
		own := make([]byte, len(b))
		copy(own, b)
		v.SetBytes(own)
		return nil
	}
	// What is too long is cut, and what is too short filled up with zeros, as
	// encoding/json does with arrays.
	array := v.Bytes()
	clear(array[copy(array, b):])
	return nil
}

func (d *decoder) slice(v reflect.Value, elem *plan) error {
	c, err := d.code()
	if err != nil {
		return err
	}
	switch kindOf(c) {
	case kindArray:
	case kindNil:
		v.SetZero()
		return nil
	default:
		return d.mismatch(c, v)
	}
	n, err := d.arrayLen(c)
	if err != nil {
		return err
	}
	if err := d.enter(); err != nil {
		return err
	}
	if n > 0 && n <= v.Cap() {
		v.SetLen(n)
		v.Clear()
	} else {
		v.Set(reflect.MakeSlice(v.Type(), n, n))
	}
	for i := range n {
		if err := elem.decode(d, v.Index(i)); err != nil {
			return inIndex(err, i)
		}
	}
	d.leave()
	return nil
}

// array decodes into an array of fixed length: elements too many are ignored,
// and those that are missing are zero, as in encoding/json.
func (d *decoder) array(v reflect.Value, elem *plan) error {
	c, err := d.code()
	if err != nil {
		return err
	}
	switch kindOf(c) {
	case kindArray:
	case kindNil:
		return nil
	default:
		return d.mismatch(c, v)
	}
	n, err := d.arrayLen(c)
	if err != nil {
		return err
	}
	if err := d.enter(); err != nil {
		return err
	}
	for i := range n {
		if i < v.Len() {
			err = elem.decode(d, v.Index(i))
		} else {
			err = d.skip(1, maxDepth-d.depth)
		}
		if err != nil {
			return inIndex(err, i)
		}
	}
	for i := n; i < v.Len(); i++ {
		v.Index(i).SetZero()
	}
	d.leave()
	return nil
}
