package codec

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strconv"
)

// reader reads the MessagePack format from a body in memory. Nothing that it
// returns is bigger than what is left of the body.
type reader struct {
	data []byte
	pos  int
}

// code reads the byte that begins a value.
func (r *reader) code() (byte, error) {
	if r.pos >= len(r.data) {
		return 0, errShort
	}
	c := r.data[r.pos]
	r.pos++
	return c, nil
}

// peek returns the byte that begins the next value, or a reserved code, which
// nothing accepts, at the end.
func (r *reader) peek() byte {
	if r.pos >= len(r.data) {
		return codeReserved
	}
	return r.data[r.pos]
}

// take reads n bytes, which are the body's own.
func (r *reader) take(n int) ([]byte, error) {
	if n < 0 || n > len(r.data)-r.pos {
		return nil, errShort
	}
	b := r.data[r.pos : r.pos+n]
	r.pos += n
	return b, nil
}

// uintN reads an unsigned number of n bytes, big-endian.
func (r *reader) uintN(n int) (uint64, error) {
	b, err := r.take(n)
	if err != nil {
		return 0, err
	}
	switch n {
	case 1:
		return uint64(b[0]), nil
	case 2:
		return uint64(binary.BigEndian.Uint16(b)), nil
	case 4:
		return uint64(binary.BigEndian.Uint32(b)), nil
	default:
		return binary.BigEndian.Uint64(b), nil
	}
}

// length reads a length of size bytes, and refuses one that what is left of
// the body cannot hold at atLeast bytes for each.
func (r *reader) length(size, atLeast int) (int, error) {
	n, err := r.uintN(size)
	if err != nil {
		return 0, err
	}
	if n > uint64(len(r.data)-r.pos)/uint64(atLeast) {
		return 0, errShort
	}
	return int(n), nil
}

// integer is what MessagePack's ten ways to write one come to: all of int64
// and all of uint64.
type integer struct {
	bits     uint64 // an int64's if negative
	negative bool
}

func (n integer) append(b []byte) []byte {
	if n.negative {
		return strconv.AppendInt(b, int64(n.bits), 10)
	}
	return strconv.AppendUint(b, n.bits, 10)
}

func (n integer) String() string { return string(n.append(nil)) }

func (n integer) float64() float64 {
	if n.negative {
		return float64(int64(n.bits))
	}
	return float64(n.bits)
}

// integer reads what is left of an integer that begins with c.
func (r *reader) integer(c byte) (integer, error) {
	if c <= codePosFixedHigh {
		return integer{bits: uint64(c)}, nil
	}
	if c >= codeNegFixedLow {
		return integer{bits: uint64(int64(int8(c))), negative: true}, nil
	}
	signed := c >= codeInt8
	size := 1 << ((c - codeUint8) & 3)
	n, err := r.uintN(size)
	if signed {
		unused := 64 - 8*size
		n = uint64(int64(n<<unused) >> unused)
	}
	return integer{bits: n, negative: signed && int64(n) < 0}, err
}

// errNotFinite refuses what JSON has no way to write: a handler tested with
// one codec should not meet it first with the other.
var errNotFinite = errors.New("NaN and infinities have no encoding")

// float reads what is left of a float that begins with c.
func (r *reader) float(c byte) (float64, error) {
	var f float64
	if c == codeFloat32 {
		n, err := r.uintN(4)
		if err != nil {
			return 0, err
		}
		f = float64(math.Float32frombits(uint32(n)))
	} else {
		n, err := r.uintN(8)
		if err != nil {
			return 0, err
		}
		f = math.Float64frombits(n)
	}
	if !isFinite(f) {
		return 0, errNotFinite
	}
	return f, nil
}

func isFinite(f float64) bool { return !math.IsNaN(f) && !math.IsInf(f, 0) }

// bytes reads what is left of a string or of binary data that begins with c.
// They are the body's own.
func (r *reader) bytes(c byte) ([]byte, error) {
	var size int
	switch {
	case c < codeNil:
		return r.take(int(c & 0x1f))
	case c >= codeString8:
		size = 1 << (c - codeString8)
	default:
		size = 1 << (c - codeBin8)
	}
	n, err := r.length(size, 1)
	if err != nil {
		return nil, err
	}
	return r.take(n)
}

// arrayLen reads what is left of the head of an array that begins with c.
func (r *reader) arrayLen(c byte) (int, error) {
	switch c {
	case codeArray16:
		return r.length(2, 1)
	case codeArray32:
		return r.length(4, 1)
	}
	n := int(c & 0x0f)
	if n > len(r.data)-r.pos {
		return 0, errShort
	}
	return n, nil
}

// mapLen reads what is left of the head of a map that begins with c.
func (r *reader) mapLen(c byte) (int, error) {
	switch c {
	case codeMap16:
		return r.length(2, 2)
	case codeMap32:
		return r.length(4, 2)
	}
	n := int(c & 0x0f)
	if n > (len(r.data)-r.pos)/2 {
		return 0, errShort
	}
	return n, nil
}

// ext reads what is left of an extension that begins with c. The payload is
// the body's own.
func (r *reader) ext(c byte) (typ int8, payload []byte, err error) {
	n := 0
	if c >= codeFixExt1 {
		n = 1 << (c - codeFixExt1)
	} else if n, err = r.length(1<<(c-codeExt8), 1); err != nil {
		return 0, nil, err
	}
	b, err := r.take(1 + n)
	if err != nil {
		return 0, nil, err
	}
	return int8(b[0]), b[1:], nil
}

// check makes sure that the body is a series of whole values, nested no deeper
// than allowed, so that from then on every length can be believed: without it,
// arrays within arrays could each claim the whole rest of the body, and have
// room made for as many elements. A series, since one Go value may take several
// of them: EncodeMulti of msgpack writes them so.
func (r reader) check() error {
	if len(r.data) == 0 {
		return errShort
	}
	for r.pos < len(r.data) {
		if err := r.skip(1, maxDepth); err != nil {
			return err
		}
	}
	return nil
}

// skip passes over n values, in which arrays and maps may nest depth levels.
func (r *reader) skip(n, depth int) error {
	for ; n > 0; n-- {
		if r.pos >= len(r.data) {
			return errShort
		}
		c := r.data[r.pos]
		r.pos++
		var err error
		switch {
		case c <= codePosFixedHigh || c >= codeNegFixedLow:
		case c >= codeFixedString && c < codeNil:
			// Most of a body is numbers and short strings like these, and each
			// body is passed over once: here it pays to be quick.
			if r.pos += int(c & 0x1f); r.pos > len(r.data) {
				return errShort
			}
		default:
			err = r.skipLong(c, depth)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// skipLong passes over what is left of a value that begins with c.
func (r *reader) skipLong(c byte, depth int) (err error) {
	switch kindOf(c) {
	case kindInt:
		_, err = r.take(1 << ((c - codeUint8) & 3))
	case kindFloat:
		_, err = r.take(4 << (c - codeFloat32))
	case kindString, kindBinary:
		_, err = r.bytes(c)
	case kindExt:
		_, _, err = r.ext(c)
	case kindReserved:
		return errReserved(c)
	case kindArray:
		n, err := r.arrayLen(c)
		if err != nil {
			return err
		}
		return r.skipElements(n, depth)
	case kindMap:
		n, err := r.mapLen(c)
		if err != nil {
			return err
		}
		return r.skipElements(2*n, depth)
	}
	return err
}

func (r *reader) skipElements(n, depth int) error {
	if depth == 0 {
		return errDeep
	}
	return r.skip(n, depth-1)
}

func errReserved(c byte) error {
	return fmt.Errorf("code 0x%02x is none of MessagePack", c)
}
