package codec

// The codes of the MessagePack format
// (https://github.com/msgpack/msgpack/blob/master/spec.md#formats).
const (
	codePosFixedHigh = 0x7f // integers 0 to 127 are their own code
	codeFixedMap     = 0x80 // … plus the number of pairs, up to 15
	codeFixedArray   = 0x90 // … plus the number of elements, up to 15
	codeFixedString  = 0xa0 // … plus the length, up to 31
	codeNil          = 0xc0
	codeReserved     = 0xc1 // never used
	codeFalse        = 0xc2
	codeTrue         = 0xc3
	codeBin8         = 0xc4
	codeBin16        = 0xc5
	codeBin32        = 0xc6
	codeExt8         = 0xc7
	codeExt16        = 0xc8
	codeExt32        = 0xc9
	codeFloat32      = 0xca
	codeFloat64      = 0xcb
	codeUint8        = 0xcc
	codeUint16       = 0xcd
	codeUint32       = 0xce
	codeUint64       = 0xcf
	codeInt8         = 0xd0
	codeInt16        = 0xd1
	codeInt32        = 0xd2
	codeInt64        = 0xd3
	codeFixExt1      = 0xd4
	codeFixExt2      = 0xd5
	codeFixExt4      = 0xd6
	codeFixExt8      = 0xd7
	codeFixExt16     = 0xd8
	codeString8      = 0xd9
	codeString16     = 0xda
	codeString32     = 0xdb
	codeArray16      = 0xdc
	codeArray32      = 0xdd
	codeMap16        = 0xde
	codeMap32        = 0xdf
	codeNegFixedLow  = 0xe0 // integers -32 to -1, as an int8
)

// Extension types.
const (
	// extTime is MessagePack's own timestamp.
	extTime = -1

	// extNumber is ours: a number that no MessagePack number holds exactly,
	// such as an integer of 30 digits. Its payload is the number as JSON
	// writes it.
	extNumber = 'N'
)

// kind is what a code begins.
type kind byte

const (
	kindReserved kind = iota
	kindNil
	kindBool
	kindInt
	kindFloat
	kindString
	kindBinary
	kindArray
	kindMap
	kindExt
)

// String names the kind with JSON's words, so that the errors of both codecs
// read alike.
func (k kind) String() string {
	return [...]string{
		"a reserved code", "nil", "a bool", "an integer", "a float", "a string",
		"binary data", "an array", "an object", "an extension",
	}[k]
}

func kindOf(c byte) kind {
	switch {
	case c <= codePosFixedHigh || c >= codeNegFixedLow:
		return kindInt
	case c < codeFixedArray:
		return kindMap
	case c < codeFixedString:
		return kindArray
	case c < codeNil:
		return kindString
	}
	switch c {
	case codeNil:
		return kindNil
	case codeFalse, codeTrue:
		return kindBool
	case codeBin8, codeBin16, codeBin32:
		return kindBinary
	case codeFloat32, codeFloat64:
		return kindFloat
	case codeUint8, codeUint16, codeUint32, codeUint64, codeInt8, codeInt16, codeInt32, codeInt64:
		return kindInt
	case codeString8, codeString16, codeString32:
		return kindString
	case codeArray16, codeArray32:
		return kindArray
	case codeMap16, codeMap32:
		return kindMap
	case codeReserved:
		return kindReserved
	default:
		return kindExt
	}
}
