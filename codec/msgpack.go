package codec

import (
	"reflect"
	"sync"
)

// MsgPack is the codec of content type application/msgpack. The zero value is
// ready to use.
//
// A body is what JSON's would be, value for value, in MessagePack's notation:
// the package documentation has the rules and the differences. A type that
// implements CustomEncoder, CustomDecoder, Marshaler or Unmarshaler of
// github.com/vmihailenco/msgpack/v5 is encoded and decoded by those methods,
// and so are the types registered as extensions there that implement them.
//
// Errors name the field and wrap what a user's method said.
type MsgPack struct {
	// DisallowUnknownFields makes Unmarshal refuse an object that has a key
	// which no field of the Go struct takes.
	DisallowUnknownFields bool

	// UseNumber makes Unmarshal store a number in an any as a json.Number.
	// Without it, a number becomes a float64, as in JSON, but for integers
	// beyond ±2^53, which become an int64 or a uint64, and numbers that
	// MessagePack has no form for, which are a json.Number even so.
	UseNumber bool
}

// ContentType returns "application/msgpack".
func (MsgPack) ContentType() string { return "application/msgpack" }

// Aliases returns the other names that MessagePack goes under:
// "application/x-msgpack" and "application/vnd.msgpack".
func (MsgPack) Aliases() []string {
	return []string{"application/x-msgpack", "application/vnd.msgpack"}
}

// Marshal returns the MessagePack encoding of v. Equal values have equal
// encodings: the keys of a map are sorted.
func (MsgPack) Marshal(v any) ([]byte, error) {
	e := encoders.Get().(*encoder)
	defer e.release()
	if err := e.message(v); err != nil {
		return nil, finish("msgpack", err)
	}
	out := make([]byte, len(e.buf))
	copy(out, e.buf)
	return out, nil
}

// Unmarshal decodes the MessagePack value data into what v points to. Bytes
// after the value are an error.
func (m MsgPack) Unmarshal(data []byte, v any) error {
	target, err := checkTarget(v)
	if err != nil {
		return finish("msgpack", err)
	}
	d := decoders.Get().(*decoder)
	defer d.release()
	d.data, d.options = data, m
	if err := d.check(); err != nil {
		return finish("msgpack", err)
	}
	if err := planOf(target.Type()).decode(d, target); err != nil {
		return finish("msgpack", err)
	}
	if rest := len(data) - d.pos; rest > 0 {
		return finish("msgpack", errTrailing(rest))
	}
	return nil
}

// maxPooled bounds what one huge message can leave behind in a pool, in bytes.
const maxPooled = 1 << 20

// encoder is the state of one Marshal.
type encoder struct {
	buf   []byte
	depth int      // of arrays and objects around the current value
	keys  []string // of the maps around the current value, to sort them
}

var encoders = sync.Pool{New: func() any { return new(encoder) }}

func (e *encoder) release() {
	if cap(e.buf) > maxPooled || cap(e.keys) > maxPooled/16 {
		return
	}
	clear(e.keys[:cap(e.keys)]) // they are the user's
	*e = encoder{buf: e.buf[:0], keys: e.keys[:0]}
	encoders.Put(e)
}

// message encodes what Marshal was given. A pointer to it costs no level.
func (e *encoder) message(v any) error {
	if rv := reflect.ValueOf(v); rv.Kind() == reflect.Pointer {
		return planOf(rv.Type()).encode(e, rv)
	}
	return e.any(v)
}

// enter goes one level deeper. A Go value that contains itself ends here.
func (e *encoder) enter() error {
	e.depth++
	if e.depth > maxDepth {
		return errDeep
	}
	return nil
}

func (e *encoder) leave() { e.depth-- }

// decoder is the state of one Unmarshal.
type decoder struct {
	reader
	options MsgPack
	depth   int    // of arrays and objects around the current value
	json    []byte // what is being handed to a json.Unmarshaler
	key     []byte // of a map or a struct, where it has to be made first
}

var decoders = sync.Pool{New: func() any { return new(decoder) }}

func (d *decoder) release() {
	if cap(d.json) > maxPooled || cap(d.key) > maxPooled {
		return
	}
	*d = decoder{json: d.json[:0], key: d.key[:0]}
	decoders.Put(d)
}

func (d *decoder) enter() error {
	d.depth++
	if d.depth > maxDepth {
		return errDeep
	}
	return nil
}

func (d *decoder) leave() { d.depth-- }

// mismatch is the error for a value that begins with c where v is to be set.
func (d *decoder) mismatch(c byte, v reflect.Value) error {
	if c == codeReserved {
		return errReserved(c)
	}
	return errKind(kindOf(c).String(), v.Type())
}
