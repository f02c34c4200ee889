package codec

import (
	"math/bits"

	"github.com/vmihailenco/msgpack/v5/msgpcode"
)

// kind is the kind of value that a code of MessagePack starts, or a set of kinds.
type kind uint16

const (
	kindNil kind = 1 << iota
	kindBool
	kindInt // not negative
	kindNegative
	kindFloat
	kindString
	kindBinary
	kindArray
	kindMap
	kindExt

	kindInteger = kindInt | kindNegative
	kindText    = kindString | kindBinary
	kindAny     = ^kind(0)
)

// String returns JSON's name of the kind, so that errors of both codecs read alike.
func (k kind) String() string {
	return [...]string{
		"nil", "a bool", "an integer", "an integer", "a float", "a string", "binary data", "an array", "an object", "an extension",
	}[bits.TrailingZeros16(uint16(k))]
}

// heads has the kind of each code from 0xc0 on, and the size of the number after the code
// (https://github.com/msgpack/msgpack/blob/master/spec.md#formats).
var heads = [32]struct {
	kind kind
	size int
}{
	{kindNil, 0}, {0, 0}, {kindBool, 0}, {kindBool, 0},
	{kindBinary, 1}, {kindBinary, 2}, {kindBinary, 4}, {kindExt, 1}, {kindExt, 2}, {kindExt, 4}, {kindFloat, 4}, {kindFloat, 8},
	{kindInt, 1}, {kindInt, 2}, {kindInt, 4}, {kindInt, 8}, {kindNegative, 1}, {kindNegative, 2}, {kindNegative, 4}, {kindNegative, 8},
	{kindExt, 0}, {kindExt, 0}, {kindExt, 0}, {kindExt, 0}, {kindExt, 0}, {kindString, 1}, {kindString, 2}, {kindString, 4},
	{kindArray, 2}, {kindArray, 4}, {kindMap, 2}, {kindMap, 4},
}

// token reads a code and its data, except the elements of an array or a map. The number is
// the length, the count, or the bits.
func (w *walker) token() (k kind, n uint64, err error) {
	if err = w.skip(1); err != nil {
		return 0, 0, err
	}
	c := w.data[w.pos-1]
	switch {
	case c <= msgpcode.PosFixedNumHigh:
		return kindInt, uint64(c), nil
	case c <= msgpcode.FixedMapHigh:
		return kindMap, uint64(c & msgpcode.FixedMapMask), nil
	case c <= msgpcode.FixedArrayHigh:
		return kindArray, uint64(c & msgpcode.FixedArrayMask), nil
	case c <= msgpcode.FixedStrHigh:
		n = uint64(c & msgpcode.FixedStrMask)
		return kindString, n, w.skip(n)
	case c >= msgpcode.NegFixedNumLow:
		return kindNegative, uint64(int8(c)), nil
	}
	h := heads[c-msgpcode.Nil]
	if err = w.skip(uint64(h.size)); err != nil {
		return 0, 0, err
	}
	for _, b := range w.data[w.pos-h.size : w.pos] {
		n = n<<8 | uint64(b)
	}
	switch h.kind {
	case kindString, kindBinary:
		err = w.skip(n)
	case kindExt:
		if h.size == 0 {
			n = 1 << (c - msgpcode.FixExt1)
		}
		err = w.skip(n + 1) // the type is one byte
	case kindNegative:
		shift := 64 - 8*h.size
		if n = uint64(int64(n<<shift) >> shift); int64(n) >= 0 {
			return kindInt, n, nil
		}
	case kindFloat:
		if h.size == 4 && n&0x7f800000 == 0x7f800000 || h.size == 8 && n&(0x7ff<<52) == 0x7ff<<52 {
			err = errNotFinite
		}
	case 0: // heads has no kind for this code
		err = errReserved
	}
	return h.kind, n, err
}

func (w *walker) skip(n uint64) error {
	if n > uint64(len(w.data)-w.pos) {
		return errShort
	}
	w.pos += int(n)
	return nil
}
