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

// MsgPack is the codec of content type application/msgpack. It uses
// github.com/vmihailenco/msgpack/v5. The zero value is ready to use.
//
// A field's msgpack tag takes precedence over its json tag. Types can encode themselves with
// msgpack's interfaces or with registered extensions. The package documentation lists the
// differences from JSON.
type MsgPack struct {
	// DisallowUnknownFields makes Unmarshal refuse an object with a key that no field of the
	// Go struct has.
	DisallowUnknownFields bool

	// UseNumber makes Unmarshal store a number in an any as a json.Number, instead of as a
	// float64 or, for an integer beyond ±2^53, as an int64 or a uint64.
	UseNumber bool
}

// ContentType returns "application/msgpack".
func (MsgPack) ContentType() string { return "application/msgpack" }

// Aliases returns "application/x-msgpack" and "application/vnd.msgpack".
func (MsgPack) Aliases() []string {
	return []string{"application/x-msgpack", "application/vnd.msgpack"}
}

// maxPooled is the largest buffer in bytes that a pool keeps.
const maxPooled = 1 << 20

// Marshal returns the MessagePack encoding of v. Equal values have equal encodings.
func (MsgPack) Marshal(v any) ([]byte, error) {
	e := encoders.Get().(*encoder)
	if err := e.marshal(v); err != nil {
		return nil, finish("msgpack", err) // drop e, which may be broken
	}
	out := bytes.Clone(e.Bytes())
	if e.Cap() <= maxPooled {
		encoders.Put(e)
	}
	return out, nil
}

// encoder is a reusable msgpack encoder with the buffer that it writes to.
type encoder struct {
	msgpack *msgpack.Encoder
	bytes.Buffer
	suspect bool // a NaN or an infinity may have been written
}

var encoders = sync.Pool{New: func() any { return &encoder{msgpack: msgpack.NewEncoder(nil)} }}

// Write gets one float at a time from msgpack, and other data.
func (e *encoder) Write(p []byte) (int, error) {
	if n := len(p); (n == 9 || n == 5) && p[1]&0x7f == 0x7f && (p[0] == msgpcode.Double || p[0] == msgpcode.Float) {
		e.suspect = true
	}
	return e.Buffer.Write(p)
}

func (e *encoder) marshal(v any) error {
	p, o := opaque, visitor{task: survey}
	if n, ok := v.(*int); ok && n != nil {
		v = *n
	}
	if v = withAddress(v); v != nil && reflect.TypeOf(v).Kind() == reflect.Pointer {
		var err error
		if p, err = planOf(reflect.TypeOf(v)); err != nil {
			return err
		}
		o.found = p.all
		if err = o.value(reflect.ValueOf(v), p); err != nil {
			return err
		}
	}
	e.Reset()
	e.suspect = false
	e.msgpack.Reset(e)
	e.msgpack.SetCustomStructTag("json")
	e.msgpack.SetSortMapKeys(true)
	e.msgpack.UseCompactInts(true)
	if err := guarded(e.msgpack.Encode, v); err != nil {
		return locate(e.Bytes(), p, err)
	}
	if e.suspect || o.found&(isUnsorted|isCustom) != 0 {
		w := walker{data: e.Bytes(), encoded: true, sort: o.found&isUnsorted != 0}
		return w.walk(p, o.found)
	}
	return nil
}

// Unmarshal decodes the MessagePack value data into the value that v points to. Bytes after
// the value are an error.
func (m MsgPack) Unmarshal(data []byte, v any) error {
	target, err := checkTarget(v)
	if err == nil {
		err = m.unmarshal(data, v, target)
	}
	return finish("msgpack", err)
}

func (m MsgPack) unmarshal(data []byte, v any, target reflect.Value) error {
	w := walker{data: data, knownFields: m.DisallowUnknownFields}
	if n, ok := v.(*int); ok { // the shortest messages are fastest without msgpack
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
	if err := (&visitor{task: empty}).value(target, p); err != nil {
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
		return locate(body[:max(read-1, 0)], p, err) // drop d, which may be broken
	}
	rest := d.Len()
	d.Reader.Reset(nil)
	if len(data) <= maxPooled {
		decoders.Put(d)
	}
	if rest > 0 {
		return errTrailing(rest)
	}
	return (&visitor{task: settle, asNumber: m.UseNumber}).value(target, p)
}

// decoder is a reusable msgpack decoder with the body that it reads.
type decoder struct {
	msgpack *msgpack.Decoder
	bytes.Reader

	// msgpack's DecodeMapLen reads the inside of an extension as a map. The walker has not
	// checked that map, so it may claim any length and any depth.
	extensions []int
}

var decoders = sync.Pool{New: func() any { return &decoder{msgpack: msgpack.NewDecoder(nil)} }}

func (d *decoder) ReadByte() (byte, error) {
	if slices.Contains(d.extensions, int(d.Size())-d.Len()) {
		return 0, errors.New("the inside of an extension is no value")
	}
	return d.Reader.ReadByte()
}

// locate adds the place to an error of msgpack: the end of the bytes that were written or
// read so far.
func locate(data []byte, p *plan, err error) error {
	w := walker{data: data, encoded: true}
	if at, ok := w.value(p).(*codecError); ok {
		at.err = err
		return at
	}
	return err
}
