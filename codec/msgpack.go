package codec

import (
	"bytes"
	"errors"
	"math"
	"reflect"
	"slices"
	"sync"

	"github.com/vmihailenco/msgpack/v5"
	"github.com/vmihailenco/msgpack/v5/msgpcode"
)

// MsgPack is the codec of content type application/msgpack, over
// github.com/vmihailenco/msgpack/v5. The zero value is ready to use.
//
// The msgpack tag of a field comes before its json tag. Types encode themselves
// with the interfaces of msgpack, and with extensions registered there. The
// package documentation has what differs from JSON.
//
// Errors name the field and wrap what a user's method said.
type MsgPack struct {
	// DisallowUnknownFields makes Unmarshal refuse an object that has a key
	// which no field of the Go struct takes.
	DisallowUnknownFields bool

	// UseNumber makes Unmarshal store a number in an any as a json.Number.
	// Without it, a number becomes a float64, as in JSON, but for integers
	// beyond ±2^53, which become an int64 or a uint64.
	UseNumber bool
}

// ContentType returns "application/msgpack".
func (MsgPack) ContentType() string { return "application/msgpack" }

// Aliases returns the other names that MessagePack goes under:
// "application/x-msgpack" and "application/vnd.msgpack".
func (MsgPack) Aliases() []string {
	return []string{"application/x-msgpack", "application/vnd.msgpack"}
}

// maxPooled bounds what one huge message can leave behind in a pool, in bytes.
const maxPooled = 1 << 20

// Marshal returns the MessagePack encoding of v. Equal values have equal
// encodings: the keys of maps are sorted.
func (MsgPack) Marshal(v any) ([]byte, error) {
	e := encoders.Get().(*encoder)
	if err := e.marshal(v); err != nil {
		return nil, finish("msgpack", err) // and e, which may be broken, is dropped
	}
	out := bytes.Clone(e.buf)
	if cap(e.buf) <= maxPooled {
		encoders.Put(e)
	}
	return out, nil
}

// encoder is a reusable msgpack encoder with the buffer that it writes to.
type encoder struct {
	msgpack *msgpack.Encoder
	buf     []byte
	suspect bool // a NaN or an infinity may have been written
}

var encoders = sync.Pool{New: func() any { return &encoder{msgpack: msgpack.NewEncoder(nil)} }}

// Write is called with one float at a time, and with much else.
func (e *encoder) Write(p []byte) (int, error) {
	// Without append, e.buf seldom changes but in length, and the garbage
	// collector need not hear of it.
	old := len(e.buf)
	if cap(e.buf)-old < len(p) {
		e.buf = slices.Grow(e.buf, len(p))
	}
	e.buf = e.buf[:old+len(p)]
	copy(e.buf[old:], p)
	if n := len(p); (n == 9 || n == 5) && p[1]&0x7f == 0x7f && (p[0] == msgpcode.Double || p[0] == msgpcode.Float) {
		e.suspect = true
	}
	return len(p), nil
}

func (e *encoder) WriteByte(c byte) error {
	e.buf = append(e.buf, c)
	return nil
}

func (e *encoder) marshal(v any) error {
	p, found := opaque, traits(0)
	if n, ok := v.(*int); ok && n != nil {
		v = *n
	}
	if v = withAddress(v); v != nil && reflect.TypeOf(v).Kind() == reflect.Pointer {
		var err error
		if p, err = planOf(reflect.TypeOf(v)); err != nil {
			return err
		}
		if found, err = visit(reflect.ValueOf(v), p, survey); err != nil {
			return err
		}
	}
	e.buf, e.suspect = e.buf[:0], false
	e.msgpack.Reset(e)
	e.msgpack.SetCustomStructTag("json")
	e.msgpack.SetSortMapKeys(true)
	e.msgpack.UseCompactInts(true)
	if err := guarded(e.msgpack.Encode, v); err != nil {
		return locate(e.buf, p, err)
	}
	if e.suspect || found&(isUnsorted|isCustom) != 0 {
		w := walker{data: e.buf, encoded: true, sort: found&isUnsorted != 0}
		return w.walk(p, found)
	}
	return nil
}

// Unmarshal decodes the MessagePack value data into what v points to. Bytes
// after the value are an error.
func (m MsgPack) Unmarshal(data []byte, v any) error {
	target, err := checkTarget(v)
	if err == nil {
		err = m.unmarshal(data, v, target)
	}
	if err != nil {
		return finish("msgpack", err)
	}
	return nil
}

func (m MsgPack) unmarshal(data []byte, v any, target reflect.Value) error {
	w := walker{data: data, knownFields: m.DisallowUnknownFields}
	if n, ok := v.(*int); ok { // the shortest messages cost least without msgpack
		if k, bits, err := w.token(); err == nil && w.pos == len(data) &&
			(k == kindNegative && int64(bits) >= math.MinInt || k == kindInt && bits <= math.MaxInt) {
			*n = int(bits)
			return nil
		}
		w.pos = 0
	}
	p, err := planOf(reflect.TypeOf(v))
	if err != nil {
		return err
	}
	if err := w.walk(p, p.all); err != nil {
		return err
	}
	if _, err := visit(target, p, empty); err != nil {
		return err
	}
	d := decoders.Get().(*decoder)
	body := data
	if w.changed != nil {
		body = append(w.changed, data[w.copied:]...)
	}
	d.Reader.Reset(body)
	d.msgpack.Reset(&d.Reader)
	if d.extensions = w.extensions; d.extensions != nil {
		d.msgpack.Reset(d)
	}
	d.msgpack.SetCustomStructTag("json")
	if err := guarded(d.msgpack.Decode, v); err != nil {
		read := len(body) - d.Len()
		return locate(body[:max(read-1, 0)], p, err) // and d, which may be broken, is dropped
	}
	rest := d.Len()
	d.Reader.Reset(nil)
	if len(data) <= maxPooled {
		decoders.Put(d)
	}
	if rest > 0 {
		return errTrailing(rest)
	}
	t := settle
	if m.UseNumber {
		t = settleNumbers
	}
	_, err = visit(target, p, t)
	return err
}

// decoder is a reusable msgpack decoder with the body that it reads.
type decoder struct {
	msgpack *msgpack.Decoder
	bytes.Reader

	// DecodeMapLen of msgpack takes the inside of an extension for a map. No
	// walker has been there, so that it may claim any length and any depth.
	extensions []int
}

var decoders = sync.Pool{New: func() any { return &decoder{msgpack: msgpack.NewDecoder(nil)} }}

func (d *decoder) ReadByte() (byte, error) {
	if slices.Contains(d.extensions, int(d.Size())-d.Len()) {
		return 0, errors.New("the inside of an extension is no value")
	}
	return d.Reader.ReadByte()
}

// locate adds to an error of msgpack where it happened: where the bytes that
// were written or read by then end.
func locate(data []byte, p *plan, err error) error {
	err = withoutPrefix(err, "msgpack: ")
	w := walker{data: data, encoded: true}
	if at, ok := w.value(p).(*codecError); ok {
		at.err = err
		return at
	}
	return err
}
