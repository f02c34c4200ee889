package codec

import (
	"encoding/binary"
	"fmt"
	"reflect"
)

// structPlan is how a struct type is encoded as an object, and decoded.
type structPlan struct {
	typ    reflect.Type
	fields []fieldPlan
	byName map[string]*fieldPlan
	byFold map[string]*fieldPlan // of names that differ in case alone, the first
	always bool                  // no field is ever left out
}

type fieldPlan struct {
	structField
	pos    int    // in structPlan.fields
	key    []byte // the name, encoded
	plan   *plan
	isZero func(reflect.Value) bool // nil without omitzero
}

func (c *compiler) structPlan(t reflect.Type) *structPlan {
	fields := structFields(t)
	s := &structPlan{
		typ:    t,
		fields: make([]fieldPlan, len(fields)),
		byName: make(map[string]*fieldPlan, len(fields)),
		byFold: make(map[string]*fieldPlan, len(fields)),
		always: true,
	}
	for i, sf := range fields {
		f := &s.fields[i]
		f.structField, f.pos = sf, i
		f.key = appendString(nil, sf.name)
		switch {
		case sf.quoted && !hasMethods(sf.typ):
			f.plan = c.quoted(sf.typ)
		case sf.hidden:
			f.plan = c.bare(sf.typ)
		default:
			f.plan = c.plan(sf.typ)
		}
		if sf.omitZero {
			f.isZero = zeroChecker(sf.typ)
		}
		s.always = s.always && !sf.omitEmpty && !sf.omitZero && len(sf.index) == 1
		s.byName[sf.name] = f
		if fold := string(foldName(nil, []byte(sf.name))); s.byFold[fold] == nil {
			s.byFold[fold] = f
		}
	}
	return s
}

func (s *structPlan) encode(e *encoder, v reflect.Value) error {
	if err := e.enter(); err != nil {
		return err
	}
	head := len(e.buf)
	e.buf = s.appendHead(e.buf)
	n := 0
	for i := range s.fields {
		f := &s.fields[i]
		fv, ok := f.of(v)
		if !ok {
			continue
		}
		n++
		e.buf = append(e.buf, f.key...)
		if err := f.plan.encode(e, fv); err != nil {
			return inField(err, f.name)
		}
	}
	s.setHead(e.buf[head:], n)
	e.leave()
	return nil
}

// appendHead appends the head of the object, which counts the fields. Where
// some may be left out, how many there are is known only at the end: then the
// head has room for their greatest number, and setHead fills it in.
func (s *structPlan) appendHead(b []byte) []byte {
	switch {
	case s.always:
		return appendMapHead(b, len(s.fields))
	case len(s.fields) < 16:
		return append(b, codeFixedMap)
	default:
		return append(b, codeMap16, 0, 0)
	}
}

func (s *structPlan) setHead(head []byte, n int) {
	switch {
	case s.always:
	case len(s.fields) < 16:
		head[0] |= byte(n)
	default:
		binary.BigEndian.PutUint16(head[1:], uint16(n))
	}
}

// of returns the field of the struct v, unless it is omitted or part of an
// embedded struct that is not there.
func (f *fieldPlan) of(v reflect.Value) (reflect.Value, bool) {
	fv := v.Field(f.index[0])
	for _, i := range f.index[1:] {
		if fv.Kind() == reflect.Pointer {
			if fv.IsNil() {
				return fv, false
			}
			fv = fv.Elem()
		}
		fv = fv.Field(i)
	}
	omit := f.omitEmpty && isEmpty(fv) || f.isZero != nil && f.isZero(fv)
	return fv, !omit
}

func (s *structPlan) decode(d *decoder, v reflect.Value) error {
	c, err := d.code()
	if err != nil {
		return err
	}
	switch kindOf(c) {
	case kindMap:
	case kindNil:
		return nil
	default:
		return d.mismatch(c, v)
	}
	n, err := d.mapLen(c)
	if err != nil {
		return err
	}
	if err := d.enter(); err != nil {
		return err
	}
	next := 0
	for range n {
		key, err := d.mapKey()
		if err != nil {
			return err
		}
		// Fields mostly come in the order in which Go has them.
		var f *fieldPlan
		if next < len(s.fields) && string(key) == s.fields[next].name {
			f = &s.fields[next]
			next++
		} else {
			f, next = s.find(d, key, next)
		}
		if err := s.decodeField(d, v, f, key); err != nil {
			return err
		}
	}
	d.leave()
	return nil
}

// find returns the field that takes the key, nil for none, and where to look
// for the next one.
func (s *structPlan) find(d *decoder, key []byte, next int) (*fieldPlan, int) {
	f, ok := s.byName[string(key)]
	if !ok {
		start := len(d.key)
		d.key = foldName(d.key, key)
		f = s.byFold[string(d.key[start:])]
		d.key = d.key[:start]
	}
	if f == nil {
		return nil, next
	}
	return f, f.pos + 1
}

func (s *structPlan) decodeField(d *decoder, v reflect.Value, f *fieldPlan, key []byte) error {
	if f == nil {
		if d.options.DisallowUnknownFields {
			return fmt.Errorf("unknown field %s", quoteShort(string(key)))
		}
		return d.skip(1, maxDepth-d.depth)
	}
	fv, err := f.in(v)
	if err == nil {
		err = f.plan.decode(d, fv)
	}
	if err != nil {
		return inField(err, f.name)
	}
	return nil
}

// in returns the field of the struct v to decode into, and makes the embedded
// structs on the way to it.
func (f *fieldPlan) in(v reflect.Value) (reflect.Value, error) {
	fv := v.Field(f.index[0])
	for _, i := range f.index[1:] {
		if fv.Kind() == reflect.Pointer {
			if fv.IsNil() {
				if !fv.CanSet() {
					return fv, errUnexportedEmbedded(fv.Type().Elem())
				}
				fv.Set(reflect.New(fv.Type().Elem()))
			}
			fv = fv.Elem()
		}
		fv = fv.Field(i)
	}
	return fv, nil
}

func errUnexportedEmbedded(t reflect.Type) error {
	return fmt.Errorf("cannot set embedded pointer to unexported struct %s", t)
}
