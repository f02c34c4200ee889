package codec

import (
	"cmp"
	"encoding"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/vmihailenco/msgpack/v5"
	"github.com/vmihailenco/tagparser/v2"
)

// plan is the strict layer's description of a Go type as msgpack handles it. A pointer has
// the plan of its element.
type plan struct {
	typ       reflect.Type
	takes     kind              // the kinds that msgpack decodes into the type
	max, min  uint64            // of an integer: the maximum, and the absolute value of the minimum
	bits      int               // of a float
	key, elem *plan             // of a map's key; of a map's or a list's element; nil is this plan
	fields    []*field          // of a struct, in the order of encoding
	byName    map[string]*field // of a struct, for decoding
	own, all  traits            // of the type; of the type and all types in it
	below     []*plan
	open      bool  // unfinished
	err       error // msgpack cannot handle the type but returns no error
}

type field struct {
	encoded []byte // the name
	index   []int
	plan    *plan
}

type traits uint8

const (
	isAny       traits = 1 << iota // an interface
	isUnsorted                     // a map that msgpack does not sort
	isCustom                       // has EncodeMsgpack or DecodeMsgpack
	isRecursive                    // holds values of its own type
)

// always has the kinds that each type takes. A nil decodes as zero. An extension may be
// registered for any type except a map, because msgpack would read the inside of every
// extension as a map.
const always = kindNil | kindExt

// The plans of a value that is not checked, of a value that DecodeMsgpack reads, and of a
// field's name.
var (
	opaque    = &plan{takes: kindAny}
	custom    = &plan{takes: kindAny, own: isCustom}
	fieldName = &plan{takes: kindText}
)

// methods lists the methods by which msgpack encodes and decodes a type, in the order in
// which it tries them.
var methods = [4][2]reflect.Type{
	{reflect.TypeFor[msgpack.CustomEncoder](), reflect.TypeFor[msgpack.CustomDecoder]()},
	{reflect.TypeFor[msgpack.Marshaler](), reflect.TypeFor[msgpack.Unmarshaler]()},
	{reflect.TypeFor[encoding.BinaryMarshaler](), reflect.TypeFor[encoding.BinaryUnmarshaler]()},
	{reflect.TypeFor[encoding.TextMarshaler](), reflect.TypeFor[encoding.TextUnmarshaler]()},
}

// plans caches the plans. A plan depends only on its type and never changes.
var plans sync.Map // reflect.Type → *plan

// planOf returns the plan of t, or an error if msgpack must not see t.
func planOf(t reflect.Type) (*plan, error) {
	known, ok := plans.Load(t)
	if !ok {
		c := make(compiler)
		made := c.plan(t, &plan{})
		for range c { // so often, the traits of all parts reach t
			for _, p := range c {
				p.all |= p.own
				for _, q := range p.below {
					p.all |= q.all
					p.err = cmp.Or(p.err, q.err)
				}
			}
		}
		known, _ = plans.LoadOrStore(t, made)
	}
	p := known.(*plan)
	return p, p.err
}

// compiler makes the plan of a type and of all types in it.
type compiler map[reflect.Type]*plan

// plan returns the plan of t, which is a part of above.
func (c compiler) plan(t reflect.Type, above *plan) *plan {
	for pointers := 0; t.Kind() == reflect.Pointer && pointers < 100; pointers++ {
		t = t.Elem()
	}
	p, ok := c[t]
	switch {
	case !ok:
		p = &plan{typ: t, takes: kindAny, open: true}
		c[t] = p
		c.describe(p)
		p.open = false
	case p.open:
		p.own |= isRecursive
	}
	above.below = append(above.below, p)
	return p
}

// has reports whether a value of the type, or a pointer to one, has the method.
func (p *plan) has(method reflect.Type) bool {
	return p.typ.Implements(method) || reflect.PointerTo(p.typ).Implements(method)
}

// describe fills in the plan in msgpack's order: by the type, its methods, and its kind.
func (c compiler) describe(p *plan) {
	method := slices.IndexFunc(methods[:], func(m [2]reflect.Type) bool { return p.has(m[0]) || p.has(m[1]) })
	switch t, kind := p.typ, p.typ.Kind(); {
	case t == reflect.TypeFor[time.Time]():
		p.takes = always
	case method == 0:
		p.own = isCustom
	case method == 1, t == reflect.TypeFor[error](): // msgpack writes an error as a string
	case method >= 2, kind == reflect.String:
		p.takes = always | kindText
	case kind == reflect.Bool:
		p.takes = always | kindBool
	case reflect.Int <= kind && kind <= reflect.Int64:
		p.takes, p.max, p.min = always|kindInteger, 1<<(t.Bits()-1)-1, 1<<(t.Bits()-1)
	case reflect.Uint <= kind && kind <= reflect.Uint64:
		p.takes, p.max = always|kindInteger, math.MaxUint64>>(64-t.Bits())
	case kind == reflect.Float32, kind == reflect.Float64:
		p.takes, p.bits = always|kindInteger|kindFloat, t.Bits()
	case kind == reflect.Interface:
		p.own, p.key = isAny, c.plan(reflect.TypeFor[string](), p)
	case kind == reflect.Slice, kind == reflect.Array:
		if p.takes = always | kindText; t.Elem().Kind() != reflect.Uint8 {
			p.takes, p.elem = always|kindArray, c.plan(t.Elem(), p)
		}
	case kind == reflect.Map:
		p.takes, p.key, p.elem = kindNil|kindMap, c.plan(t.Key(), p), c.plan(t.Elem(), p)
		switch reflect.MapOf(t.Key(), t.Elem()) { // msgpack sorts three types
		case reflect.TypeFor[map[string]string](), reflect.TypeFor[map[string]bool](), reflect.TypeFor[map[string]any]():
		default:
			p.own |= isUnsorted
		}
	case kind == reflect.Struct:
		p.takes, p.key, p.byName = always|kindMap, fieldName, make(map[string]*field)
		c.fields(p, t, nil, []reflect.Type{t})
		if len(p.fields) == 0 && p.has(reflect.TypeFor[json.Marshaler]()) {
			p.refuse(": MarshalJSON is for JSON, and there are no fields")
		}
	case kind == reflect.Uintptr, kind == reflect.Pointer: // a pointer to itself
		p.refuse("")
	}
}

// refuse records why msgpack must not see the type.
func (p *plan) refuse(why string) {
	p.err = cmp.Or(p.err, fmt.Errorf("type %s has no encoding%s", p.typ, why))
}

// fields adds the fields of the struct t to p by msgpack's rules. t is at index in p's type.
// outer lists t and the structs that embed t.
func (c compiler) fields(p *plan, t reflect.Type, index []int, outer []reflect.Type) {
	for i := range t.NumField() {
		sf := t.Field(i)
		tag := tagparser.Parse(cmp.Or(sf.Tag.Get("msgpack"), sf.Tag.Get("json")))
		if sf.Name == "_msgpack" && index == nil && (tag.HasOption("as_array") || tag.HasOption("asArray")) {
			p.takes = always | kindArray
		}
		if tag.Name == "-" || !sf.IsExported() && !sf.Anonymous {
			continue
		}
		f := &field{index: append(slices.Clone(index), i), plan: c.plan(sf.Type, p)}
		name := cmp.Or(tag.Name, sf.Name)
		switch inner, inline := f.plan.typ, sf.Anonymous && !tag.HasOption("noinline") && f.plan.byName != nil; {
		case inline && slices.Contains(outer, inner):
			p.refuse(": it is embedded in itself")
		case inline:
			c.fields(p, inner, f.index, append(outer, inner))
		default:
			f.encoded, _ = msgpack.Marshal(name)
			p.fields = append(p.fields, f)
		}
		for _, name := range []string{name, cmp.Or(tag.Options["alias"], name)} {
			if known := p.byName[name]; known != nil && known != f {
				p.refuse(fmt.Sprintf(": two fields have the name %q", name))
			}
			p.byName[name] = f
		}
	}
}
