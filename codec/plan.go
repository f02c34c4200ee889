package codec

import (
	"cmp"
	"encoding"
	"encoding/json"
	"errors"
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
	want      kind              // the kind that msgpack decodes into the type
	max, min  uint64            // of an integer: the maximum, and the absolute value of the minimum
	bits      int               // of a float
	key, elem *plan             // of a map's key; of a map's or a list's element
	fields    []*field          // of a struct, in the order of encoding
	byName    map[string]*field // of a struct, for decoding
	own, all  traits            // of the type; of the type and all types in it
	below     []*plan
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

// The plans of a value that is not checked, of a value that DecodeMsgpack reads, and of a key
// of a map[string]any in an any.
var (
	opaque     = newPlan(nil, 0)
	custom     = newPlan(nil, isCustom)
	stringPlan = &plan{want: kindString, typ: reflect.TypeFor[string]()}
)

func newPlan(t reflect.Type, own traits) *plan {
	p := &plan{typ: t, want: kindAny, own: own}
	p.key, p.elem = p, p
	return p
}

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
		c := compiler{made: make(map[reflect.Type]*plan)}
		made := c.plan(t, &plan{})
		for range c.made { // so often, the traits of all parts reach t
			for _, p := range c.made {
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
type compiler struct {
	made map[reflect.Type]*plan
	open []*plan // unfinished plans
}

// plan returns the plan of t, which is a part of above.
func (c *compiler) plan(t reflect.Type, above *plan) *plan {
	for pointers := 0; t.Kind() == reflect.Pointer && pointers < 100; pointers++ {
		t = t.Elem()
	}
	p, ok := c.made[t]
	switch {
	case !ok:
		p = newPlan(t, 0)
		c.made[t] = p
		c.open = append(c.open, p)
		if !p.byMethods() {
			c.byKind(p)
		}
		c.open = c.open[:len(c.open)-1]
	case slices.Contains(c.open, p):
		p.own |= isRecursive
	}
	above.below = append(above.below, p)
	return p
}

// has reports whether a value of the type, or a pointer to one, has the method.
func (p *plan) has(method reflect.Type) bool {
	return p.typ.Implements(method) || reflect.PointerTo(p.typ).Implements(method)
}

// byMethods reports whether methods of the type, or functions that msgpack has for it, encode
// it.
func (p *plan) byMethods() bool {
	i := slices.IndexFunc(methods[:], func(m [2]reflect.Type) bool { return p.has(m[0]) || p.has(m[1]) })
	switch {
	case p.typ == reflect.TypeFor[time.Time]():
		p.want = kindExt
		return true
	case i == 0:
		p.own = isCustom
	case i >= 2:
		p.want = kindString
	}
	return i >= 0
}

// sortedElems lists the element types of the maps with string keys that msgpack sorts.
var sortedElems = []reflect.Type{reflect.TypeFor[string](), reflect.TypeFor[bool](), reflect.TypeFor[any]()}

func (c *compiler) byKind(p *plan) {
	switch t := p.typ; t.Kind() {
	case reflect.Bool:
		p.want = kindBool
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		p.want, p.max, p.min = kindInt, 1<<(t.Bits()-1)-1, 1<<(t.Bits()-1)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		p.want, p.max = kindInt, math.MaxUint64>>(64-t.Bits())
	case reflect.Float32, reflect.Float64:
		p.want, p.bits = kindFloat, t.Bits()
	case reflect.String:
		p.want = kindString
	case reflect.Interface:
		if t != reflect.TypeFor[error]() { // msgpack writes an error as a string
			p.own, p.key = isAny, stringPlan
		}
	case reflect.Slice, reflect.Array:
		if p.want = kindString; t.Elem().Kind() != reflect.Uint8 {
			p.want, p.elem = kindArray, c.plan(t.Elem(), p)
		}
	case reflect.Map:
		p.want, p.key, p.elem = kindMap, c.plan(t.Key(), p), c.plan(t.Elem(), p)
		if t.Key() != reflect.TypeFor[string]() || !slices.Contains(sortedElems, t.Elem()) {
			p.own |= isUnsorted
		}
	case reflect.Struct:
		p.want, p.byName = kindMap, make(map[string]*field)
		if err := c.fields(p, t, nil, nil); err != nil {
			p.err = fmt.Errorf("type %s has no encoding: %w", t, err)
		} else if len(p.fields) == 0 && p.has(reflect.TypeFor[json.Marshaler]()) {
			p.err = fmt.Errorf("type %s has no encoding: MarshalJSON is for JSON, and there are no fields", t)
		}
	case reflect.Uintptr, reflect.Pointer: // a pointer to itself
		p.err = errUnsupported(t)
	}
}

// fields adds the fields of the struct t to p by msgpack's rules. t is at index in p's type.
// outer lists the structs that embed t.
func (c *compiler) fields(p *plan, t reflect.Type, index []int, outer []reflect.Type) error {
	if slices.Contains(outer, t) {
		return errors.New("it is embedded in itself")
	}
	for i := range t.NumField() {
		sf := t.Field(i)
		tag := tagparser.Parse(cmp.Or(sf.Tag.Get("msgpack"), sf.Tag.Get("json")))
		if sf.Name == "_msgpack" && index == nil && (tag.HasOption("as_array") || tag.HasOption("asArray")) {
			p.want = kindArray
		}
		if tag.Name == "-" || !sf.IsExported() && !sf.Anonymous {
			continue
		}
		f := &field{index: append(slices.Clone(index), i), plan: c.plan(sf.Type, p)}
		name := cmp.Or(tag.Name, sf.Name)
		if sf.Anonymous && !tag.HasOption("noinline") && f.plan.byName != nil {
			if err := c.fields(p, f.plan.typ, f.index, append(outer, t)); err != nil {
				return err
			}
		} else {
			f.encoded, _ = msgpack.Marshal(name)
			p.fields = append(p.fields, f)
		}
		for _, name := range []string{name, cmp.Or(tag.Options["alias"], name)} {
			if known := p.byName[name]; known != nil && known != f {
				return fmt.Errorf("two fields have the name %q", name)
			}
			p.byName[name] = f
		}
	}
	return nil
}
