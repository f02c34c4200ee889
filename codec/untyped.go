package codec

import (
	"encoding/json"
	"math"
	"reflect"
)

// visitor goes through a Go value beside its plan, and calls inAny with each
// interface that holds something.
type visitor struct {
	inAny func(*visitor, reflect.Value) error
	set   bool // inAny may set the interface

	found traits // of what is in interfaces
	depth int
}

// visit goes through the value v, a pointer.
func visit(v reflect.Value, p *plan, inAny func(*visitor, reflect.Value) error, set bool) (traits, error) {
	if p.all&isAny == 0 && (set || p.all&isRecursive == 0) {
		return 0, nil
	}
	o := &visitor{inAny: inAny, set: set}
	err := o.value(v, p)
	return o.found, err
}

func (o *visitor) value(v reflect.Value, p *plan) error {
	if p.all&(isAny|isRecursive) == 0 {
		return nil
	}
	for ; v.Kind() == reflect.Pointer; v = v.Elem() {
		if v.IsNil() {
			return nil
		}
	}
	switch {
	case p.own&isAny == 0:
		return o.parts(v, p)
	case v.IsNil() || o.set && !v.CanSet():
		return nil
	}
	return o.inAny(o, v)
}

// survey looks through a message before msgpack encodes it: msgpack would
// follow a value that contains itself until the stack ends.
func survey(o *visitor, v reflect.Value) error {
	v = v.Elem()
	p, err := marshaling.planOf(v.Type())
	if err != nil {
		return err
	}
	o.found |= p.all
	if v.Kind() != reflect.Pointer {
		return o.value(v, p)
	}
	// The pointer may lead back to the interface.
	if o.depth++; o.depth > maxDepth {
		return errDeep
	}
	err = o.value(v, p)
	o.depth--
	return err
}

// empty makes room for what msgpack decodes: it would decode into what is there.
func empty(_ *visitor, v reflect.Value) error {
	v.SetZero()
	return nil
}

// settle gives the numbers that msgpack has decoded the types that JSON gives
// them.
func settle(_ *visitor, v reflect.Value) error {
	v.Set(reflect.ValueOf(settled(v.Interface(), false)))
	return nil
}

// settleNumbers makes them a json.Number.
func settleNumbers(_ *visitor, v reflect.Value) error {
	v.Set(reflect.ValueOf(settled(v.Interface(), true)))
	return nil
}

// parts goes through the elements or fields of a value.
func (o *visitor) parts(v reflect.Value, p *plan) (err error) {
	if o.depth++; o.depth > maxDepth {
		return errDeep
	}
	switch {
	case p.want == kindArray:
		for i := 0; i < v.Len() && err == nil; i++ {
			err = o.value(v.Index(i), p.elem)
		}
	case p.key != nil:
		for pair := v.MapRange(); pair.Next() && err == nil; {
			key, elem := pair.Key(), pair.Value()
			if o.set { // what is in a map cannot be set in place
				elem = reflect.New(elem.Type()).Elem()
				elem.Set(pair.Value())
			}
			if err = o.value(elem, p.elem); err == nil && !o.set {
				err = o.value(key, p.key)
			} else if err == nil {
				v.SetMapIndex(key, elem)
			}
		}
	}
	for i := 0; i < len(p.fields) && err == nil; i++ {
		// An embedded pointer that is nil has no fields.
		if fv, none := v.FieldByIndexErr(p.fields[i].index); none == nil {
			err = o.value(fv, p.fields[i].plan)
		}
	}
	o.depth--
	return err
}

func settled(x any, useNumber bool) any {
	switch x := x.(type) {
	case []any:
		for i := range x {
			x[i] = settled(x[i], useNumber)
		}
		return x
	case map[string]any:
		for k := range x {
			x[k] = settled(x[k], useNumber)
		}
		return x
	}
	const exact = 1 << 53 // up to here a float64 holds every integer
	v := reflect.ValueOf(x)
	if v.CanUint() && v.Uint() <= math.MaxInt64 {
		v = reflect.ValueOf(int64(v.Uint()))
	}
	switch isInt := v.CanInt() && v.Type().PkgPath() == ""; { // else it is of an extension
	case useNumber && (isInt || v.CanUint() || v.CanFloat()):
		text, _ := json.Marshal(x)
		return json.Number(text)
	case isInt && -exact <= v.Int() && v.Int() <= exact:
		return float64(v.Int())
	case isInt:
		return v.Int()
	case v.Kind() == reflect.Float32:
		return v.Float()
	}
	return x
}
