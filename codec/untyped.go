package codec

import (
	"encoding/json"
	"math"
	"reflect"
)

// visitor walks a Go value and its plan to find the interfaces in the value.
type visitor struct {
	task     task
	found    traits // of the values in interfaces
	asNumber bool   // numbers become a json.Number
	depth    int
}

type task int

const (
	survey task = iota // before encoding: msgpack would follow a cycle until the stack overflows
	empty              // before decoding: msgpack would decode into the existing value
	settle             // after decoding: numbers get the types that JSON uses
)

func (o *visitor) value(v reflect.Value, p *plan) (err error) {
	if p.all&isAny == 0 && (p.all&isRecursive == 0 || o.task != survey) {
		return nil
	}
	for ; v.Kind() == reflect.Pointer; v = v.Elem() {
		if v.IsNil() {
			return nil
		}
	}
	if o.depth++; o.depth > 2*maxDepth { // an interface and its value count as two levels
		return errDeep
	}
	switch {
	case p.own&isAny == 0:
		err = o.parts(v, p)
	case v.IsNil():
	case o.task == survey:
		if p, err = planOf(v.Elem().Type()); err == nil {
			o.found |= p.all
			err = o.value(v.Elem(), p)
		}
	case !v.CanSet():
	case o.task == empty:
		v.SetZero()
	default:
		v.Set(reflect.ValueOf(settled(v.Interface(), o.asNumber)))
	}
	o.depth--
	return err
}

// parts visits the elements or fields of a value.
func (o *visitor) parts(v reflect.Value, p *plan) (err error) {
	switch kind := v.Kind(); {
	case kind == reflect.Slice || kind == reflect.Array:
		for i := 0; i < v.Len() && err == nil; i++ {
			err = o.value(v.Index(i), p.elem)
		}
	case kind == reflect.Map && o.task == survey:
		for pair := v.MapRange(); pair.Next() && err == nil; {
			if err = o.value(pair.Key(), p.key); err == nil {
				err = o.value(pair.Value(), p.elem)
			}
		}
	case kind == reflect.Map && o.task != empty:
		for pair := v.MapRange(); pair.Next() && err == nil; {
			elem := reflect.New(v.Type().Elem()).Elem() // a value in a map cannot be set
			elem.Set(pair.Value())
			err = o.value(elem, p.elem)
			v.SetMapIndex(pair.Key(), elem)
		}
	}
	for i := 0; i < len(p.fields) && err == nil; i++ {
		// A nil embedded pointer has no fields.
		if fv, none := v.FieldByIndexErr(p.fields[i].index); none == nil {
			err = o.value(fv, p.fields[i].plan)
		}
	}
	return err
}

func settled(x any, asNumber bool) any {
	switch x := x.(type) {
	case []any:
		for i := range x {
			x[i] = settled(x[i], asNumber)
		}
	case map[string]any:
		for k := range x {
			x[k] = settled(x[k], asNumber)
		}
	}
	v := reflect.ValueOf(x)
	if !v.IsValid() || v.Type().PkgPath() != "" { // the type of a registered extension
		return x
	}
	isNumber := v.CanInt() || v.CanUint() || v.CanFloat()
	if v.CanUint() && v.Uint() <= math.MaxInt64 {
		v = reflect.ValueOf(int64(v.Uint()))
	}
	const exact = 1 << 53 // a float64 holds every integer up to here
	switch {
	case asNumber && isNumber:
		text, _ := json.Marshal(x)
		return json.Number(text)
	case v.CanFloat():
		return v.Float()
	case v.CanInt() && -exact <= v.Int() && v.Int() <= exact:
		return float64(v.Int())
	}
	return v.Interface()
}
