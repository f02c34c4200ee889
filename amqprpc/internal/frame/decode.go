package frame

import "encoding/binary"

// decoder reads fields from the front of b. If b is too short, the decoder sets failed and
// then returns only zero values. Callers check failed once at the end.
type decoder struct {
	b      []byte
	failed bool

	valid   func(short []byte) bool // of short strings; nil for any
	invalid bool                    // one was not
}

func (d *decoder) take(n int) []byte {
	if d.failed || n < 0 || len(d.b) < n {
		d.failed = true
		return nil
	}
	v := d.b[:n:n]
	d.b = d.b[n:]
	return v
}

func (d *decoder) uint8() uint8 {
	if v := d.take(1); v != nil {
		return v[0]
	}
	return 0
}

func (d *decoder) uint16() uint16 {
	if v := d.take(2); v != nil {
		return binary.BigEndian.Uint16(v)
	}
	return 0
}

func (d *decoder) uint32() uint32 {
	if v := d.take(4); v != nil {
		return binary.BigEndian.Uint32(v)
	}
	return 0
}

func (d *decoder) uint64() uint64 {
	if v := d.take(8); v != nil {
		return binary.BigEndian.Uint64(v)
	}
	return 0
}

// shortBytes returns a short string without a copy.
func (d *decoder) shortBytes() []byte { return d.take(int(d.uint8())) }

func (d *decoder) shortString() string {
	s := d.shortBytes()
	if d.valid != nil && !d.valid(s) {
		d.invalid = true
	}
	return string(s)
}

// longBytes returns a long string without a copy.
func (d *decoder) longBytes() []byte {
	n := d.uint32()
	if uint64(n) > uint64(len(d.b)) {
		d.failed = true
		return nil
	}
	return d.take(int(n))
}

func (d *decoder) longString() string { return string(d.longBytes()) }

func (d *decoder) table() Table {
	b := d.longBytes()
	if d.failed {
		return nil
	}
	t, err := ParseTable(b)
	if err != nil {
		d.failed = true
	}
	return t
}

// done reports whether everything decoded and no bytes remain.
func (d *decoder) done() bool { return !d.failed && len(d.b) == 0 }

func bits(flags ...bool) byte {
	var b byte
	for i, on := range flags {
		if on {
			b |= 1 << i
		}
	}
	return b
}

func bit(b byte, i int) bool { return b&(1<<i) != 0 }

// AppendShortString adds a short string. It truncates s after 255 octets, so callers must
// check the length.
func AppendShortString[S ~string | ~[]byte](dst []byte, s S) []byte {
	if len(s) > 255 {
		s = s[:255]
	}
	dst = append(dst, byte(len(s)))
	return append(dst, s...)
}

// AppendLongString adds a long string: four octets of length, then s.
func AppendLongString[S ~string | ~[]byte](dst []byte, s S) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(s)))
	return append(dst, s...)
}

// CutLongString returns the long string at the front of b without a copy, and the rest. It
// returns false if b is too short.
func CutLongString(b []byte) (s, rest []byte, ok bool) {
	d := decoder{b: b}
	s = d.longBytes()
	return s, d.b, !d.failed
}
