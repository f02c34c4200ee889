package codec

import (
	"encoding/binary"
	"math"
)

// The appending half of the MessagePack format
// (https://github.com/msgpack/msgpack/blob/master/spec.md): each function
// appends one value, or the head of one, in its shortest form but for
// extensions, which have shorter ones for some lengths.

func appendNil(b []byte) []byte { return append(b, codeNil) }

func appendBool(b []byte, v bool) []byte {
	if v {
		return append(b, codeTrue)
	}
	return append(b, codeFalse)
}

func appendInt(b []byte, n int64) []byte {
	switch {
	case n >= 0:
		return appendUint(b, uint64(n))
	case n >= -32:
		return append(b, byte(n))
	case n >= math.MinInt8:
		return append(b, codeInt8, byte(n))
	case n >= math.MinInt16:
		return binary.BigEndian.AppendUint16(append(b, codeInt16), uint16(n))
	case n >= math.MinInt32:
		return binary.BigEndian.AppendUint32(append(b, codeInt32), uint32(n))
	default:
		return binary.BigEndian.AppendUint64(append(b, codeInt64), uint64(n))
	}
}

func appendUint(b []byte, n uint64) []byte {
	switch {
	case n <= math.MaxInt8:
		return append(b, byte(n))
	case n <= math.MaxUint8:
		return append(b, codeUint8, byte(n))
	case n <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(b, codeUint16), uint16(n))
	case n <= math.MaxUint32:
		return binary.BigEndian.AppendUint32(append(b, codeUint32), uint32(n))
	default:
		return binary.BigEndian.AppendUint64(append(b, codeUint64), n)
	}
}

func appendFloat32(b []byte, f float32) []byte {
	return binary.BigEndian.AppendUint32(append(b, codeFloat32), math.Float32bits(f))
}

func appendFloat64(b []byte, f float64) []byte {
	return binary.BigEndian.AppendUint64(append(b, codeFloat64), math.Float64bits(f))
}

func appendString[S string | []byte](b []byte, s S) []byte {
	return append(appendStringHead(b, len(s)), s...)
}

func appendStringHead(b []byte, n int) []byte {
	if n < 32 {
		return append(b, codeFixedString|byte(n))
	}
	return appendHead(b, n, codeString8, codeString16, codeString32)
}

func appendBinary(b, s []byte) []byte {
	return append(appendHead(b, len(s), codeBin8, codeBin16, codeBin32), s...)
}

func appendExt(b []byte, typ int8, payload string) []byte {
	b = appendHead(b, len(payload), codeExt8, codeExt16, codeExt32)
	return append(append(b, byte(typ)), payload...)
}

func appendArrayHead(b []byte, n int) []byte {
	if n < 16 {
		return append(b, codeFixedArray|byte(n))
	}
	return appendHead(b, n, 0, codeArray16, codeArray32)
}

func appendMapHead(b []byte, n int) []byte {
	if n < 16 {
		return append(b, codeFixedMap|byte(n))
	}
	return appendHead(b, n, 0, codeMap16, codeMap32)
}

// appendHead appends the shortest of three codes that leaves room for n, and
// n. Arrays and maps have no code for one byte. No length reaches 4 Gi: the
// bodies do not (a message of RabbitMQ is at most 512 MiB).
func appendHead(b []byte, n int, code8, code16, code32 byte) []byte {
	switch {
	case n <= math.MaxUint8 && code8 != 0:
		return append(b, code8, byte(n))
	case n <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(b, code16), uint16(n))
	default:
		return binary.BigEndian.AppendUint32(append(b, code32), uint32(n))
	}
}
