package codec

import (
	"cmp"
	"encoding"
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

// plan is what the strict layer knows of a Go type: what msgpack makes of it.
// A pointer has the plan of what it points to.
type plan struct {
	typ       reflect.Type
	want      kind              // what msgpack decodes into the type
	max, min  uint64            // of an integer: the greatest, and the least without its sign
	key, elem *plan             // of a map; elem also of a list
	fields    []*field          // of a struct, in the order of encoding
	byName    map[string]*field // of a struct, for decoding
	asArray   bool              // the struct is encoded as an array
	own, all  traits            // of the type; and also of all below it
	below     []*plan
	err       error // msgpack cannot take the type, and does not say so
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

// opaque is the plan of a value that nobody looks into.
var opaque = &plan{want: kindAny}

// direction is encoding or decoding: the methods that msgpack looks for, in
// its order, and the plans made so far.
type direction struct {
	methods [4]reflect.Type
	plans   sync.Map // reflect.Type → *plan
}

// A plan is a pure function of its type and never changes, so what these two
// keep is invisible but for the time that it saves.
var (
	marshaling = &direction{methods: [4]reflect.Type{
		reflect.TypeFor[msgpack.CustomEncoder](), reflect.TypeFor[msgpack.Marshaler](),
		reflect.TypeFor[encoding.BinaryMarshaler](), reflect.TypeFor[encoding.TextMarshaler](),
	}}
	unmarshaling = &direction{methods: [4]reflect.Type{
		reflect.TypeFor[msgpack.CustomDecoder](), reflect.TypeFor[msgpack.Unmarshaler](),
		reflect.TypeFor[encoding.BinaryUnmarshaler](), reflect.TypeFor[encoding.TextUnmarshaler](),
	}}
)

// planOf returns the plan of t, or an error if msgpack must not see t.
func (d *direction) planOf(t reflect.Type) (*plan, error) {
	known, ok := d.plans.Load(t)
	if !ok {
		c := compiler{direction: d, made: make(map[reflect.Type]*plan)}
		made := c.plan(t, &plan{})
		for range c.made { // as often as it may take to come up to t
			for _, p := range c.made {
				p.all |= p.own
				for _, q := range p.below {
					p.all |= q.all
					p.err = cmp.Or(p.err, q.err)
				}
			}
		}
		known, _ = d.plans.LoadOrStore(t, made)
	}
	p := known.(*plan)
	return p, p.err
}

// compiler makes the plan of one type and of all types that it consists of.
type compiler struct {
	*direction
	made map[reflect.Type]*plan
	open []*plan // being made
}

// plan returns the plan of t, which is a part of above.
func (c *compiler) plan(t reflect.Type, above *plan) *plan {
	for pointers := 0; t.Kind() == reflect.Pointer && pointers < 100; pointers++ {
		t = t.Elem()
	}
	p, ok := c.made[t]
	switch {
	case !ok:
		p = &plan{typ: t, want: kindAny}
		c.made[t] = p
		c.open = append(c.open, p)
		if !c.byMethods(p) {
			c.byKind(p)
		}
		c.open = c.open[:len(c.open)-1]
	case slices.Contains(c.open, p):
		p.own |= isRecursive
	}
	above.below = append(above.below, p)
	return p
}

// byMethods reports whether methods of the type, or those that msgpack has for
// it, make its form.
func (d *direction) byMethods(p *plan) bool {
	if p.typ == reflect.TypeFor[time.Time]() {
		p.want = kindExt
		return true
	}
	i := slices.IndexFunc(d.methods[:], func(method reflect.Type) bool {
		return has(p.typ, method)
	})
	switch i {
	case 0:
		p.own = isCustom
	case 2, 3:
		p.want = kindString
	}
	return i >= 0
}

func (c *compiler) byKind(p *plan) {
	switch t := p.typ; t.Kind() {
	case reflect.Bool:
		p.want = kindBool
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		p.want, p.max, p.min = kindInt, 1<<(t.Bits()-1)-1, 1<<(t.Bits()-1)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		p.want, p.max = kindInt, math.MaxUint64>>(64-t.Bits())
	case reflect.Float32, reflect.Float64:
		p.want = kindFloat
	case reflect.String:
		p.want = kindString
	case reflect.Interface:
		if t.NumMethod() == 0 || c.direction == marshaling && t != reflect.TypeFor[error]() {
			p.own = isAny
		}
	case reflect.Slice, reflect.Array:
		if p.want = kindString; t.Elem().Kind() != reflect.Uint8 {
			p.want, p.elem = kindArray, c.plan(t.Elem(), p)
		}
	case reflect.Map:
		p.want, p.key, p.elem = kindMap, c.plan(t.Key(), p), c.plan(t.Elem(), p)
		switch t {
		case reflect.TypeFor[map[string]string](), reflect.TypeFor[map[string]bool](), reflect.TypeFor[map[string]any]():
		default:
			p.own |= isUnsorted
		}
	case reflect.Struct:
		p.want, p.byName = kindMap, make(map[string]*field)
		if err := c.fields(p, t, nil, nil); err != nil {
			p.err = fmt.Errorf("type %s has no encoding: %w", t, err)
		} else if len(p.fields) == 0 && has(t, jsonMarshalerType) {
			p.err = fmt.Errorf("type %s has no encoding: MarshalJSON is for JSON, and there are no fields", t)
		}
	case reflect.Uintptr, reflect.Pointer: // a pointer to itself
		p.err = errUnsupported(t)
	}
}

// fields adds to p the fields of the struct t, which is at index in p's type,
// by the rules of msgpack. The structs that t is embedded in are outer.
func (c *compiler) fields(p *plan, t reflect.Type, index []int, outer []reflect.Type) error {
	if slices.Contains(outer, t) {
		return errors.New("it is embedded in itself")
	}
	for i := range t.NumField() {
		sf := t.Field(i)
		tag := tagparser.Parse(cmp.Or(sf.Tag.Get("msgpack"), sf.Tag.Get("json")))
		if sf.Name == "_msgpack" && index == nil {
			p.asArray = tag.HasOption("as_array") || tag.HasOption("asArray")
		}
		if tag.Name == "-" || !sf.IsExported() && !sf.Anonymous {
			continue
		}
		f := &field{index: append(slices.Clone(index), i), plan: c.plan(sf.Type, p)}
		name, inner := cmp.Or(tag.Name, sf.Name), &plan{typ: f.plan.typ}
		if sf.Anonymous && !tag.HasOption("noinline") && inner.typ.Kind() == reflect.Struct &&
			!marshaling.byMethods(inner) && !unmarshaling.byMethods(inner) {
			if err := c.fields(p, inner.typ, f.index, append(outer, t)); err != nil {
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
