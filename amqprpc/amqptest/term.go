package amqptest

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/frame"
)

// RabbitMQ's reply texts show bytes as Erlang prints them. These functions
// print the same.

// binaryTerm prints b as ~p does: as a string if it is printable.
func binaryTerm(b []byte) string {
	if len(b) == 0 {
		return "<<>>"
	}
	var s strings.Builder
	for _, c := range b {
		switch {
		case c == '"' || c == '\\':
			s.WriteByte('\\')
			s.WriteByte(c)
		case c == '\n':
			s.WriteString(`\n`)
		case c == '\r':
			s.WriteString(`\r`)
		case c == '\t':
			s.WriteString(`\t`)
		case c < 0x20 || c >= 0x7f:
			return binaryBytes(b)
		default:
			s.WriteByte(c)
		}
	}
	return `<<"` + s.String() + `">>`
}

// listTerm prints a list of bytes as ~p does: as a string if it is printable Latin-1.
func listTerm(octets string) string {
	escapes := map[byte]string{'"': `\"`, '\\': `\\`, '\n': `\n`, '\r': `\r`, '\t': `\t`, '\v': `\v`, '\b': `\b`, '\f': `\f`, 0x1b: `\e`}
	var s strings.Builder
	for _, c := range []byte(octets) {
		switch e, ok := escapes[c]; {
		case ok:
			s.WriteString(e)
		case c < 0x20, 0x7f <= c && c < 0xa0:
			numbers := strings.TrimSuffix(strings.TrimPrefix(binaryBytes([]byte(octets)), "<<"), ">>")
			return "[" + numbers + "]"
		default:
			s.WriteByte(c)
		}
	}
	return `"` + s.String() + `"`
}

// binaryBytes prints b as ~w does: as numbers.
func binaryBytes(b []byte) string {
	const enough = 300 // a reply text is cut at 255 bytes
	if len(b) > enough {
		b = b[:enough]
	}
	var s strings.Builder
	s.WriteString("<<")
	for i, c := range b {
		if i > 0 {
			s.WriteByte(',')
		}
		s.WriteString(strconv.Itoa(int(c)))
	}
	s.WriteString(">>")
	return s.String()
}

// snippet is what an exception about a frame shows of its payload.
func snippet(payload []byte) string {
	if len(payload) <= 16 {
		return "all octets = " + binaryTerm(payload)
	}
	return "first 16 octets = " + binaryTerm(payload[:16])
}

// typeName is RabbitMQ's name for the type of a table's value.
func typeName(v any) string {
	switch v.(type) {
	case string:
		return "longstr"
	case []byte:
		return "binary"
	case bool:
		return "bool"
	case int8:
		return "byte"
	case uint8:
		return "unsignedbyte"
	case int16:
		return "short"
	case uint16:
		return "unsignedshort"
	case int32:
		return "signedint"
	case uint32:
		return "unsignedint"
	case int64:
		return "long"
	case float32:
		return "float"
	case float64:
		return "double"
	case frame.Decimal:
		return "decimal"
	case frame.Timestamp:
		return "timestamp"
	case frame.Table:
		return "table"
	case []any:
		return "array"
	}
	return "void"
}

// term prints a table's value as ~p does.
func term(v any) string {
	switch v := v.(type) {
	case string:
		return binaryTerm([]byte(v))
	case []byte:
		return binaryTerm(v)
	case bool:
		return strconv.FormatBool(v)
	case float32:
		return floatTerm(float64(v))
	case float64:
		return floatTerm(v)
	case frame.Decimal:
		return fmt.Sprintf("{%d,%d}", v.Scale, v.Value)
	case frame.Table:
		fields := make([]string, len(v))
		for i, f := range v {
			fields[i] = fmt.Sprintf("{%s,%s,%s}", binaryTerm([]byte(f.Key)), typeName(f.Value), term(f.Value))
		}
		return "[" + strings.Join(fields, ",") + "]"
	case []any:
		items := make([]string, len(v))
		for i, item := range v {
			items[i] = fmt.Sprintf("{%s,%s}", typeName(item), term(item))
		}
		return "[" + strings.Join(items, ",") + "]"
	case nil:
		return "undefined"
	}
	return fmt.Sprint(v)
}

// floatTerm prints the fewest digits that make the same number, plainly or with an
// exponent, whichever is shorter.
func floatTerm(f float64) string {
	mantissa, exponent, _ := strings.Cut(strconv.FormatFloat(f, 'e', -1, 64), "e")
	power, _ := strconv.Atoi(exponent)
	plain := strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(plain, ".") {
		plain += ".0"
	}
	digits := len(strings.TrimLeft(mantissa, "-"))
	if digits > 1 {
		digits-- // the point is none
	} else {
		mantissa += ".0"
	}
	short := mantissa + "e" + strconv.Itoa(power)
	if power < -1 || power+1 >= digits {
		if len(short) < len(plain) {
			return short
		}
	}
	return plain
}
