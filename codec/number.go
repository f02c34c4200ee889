package codec

import (
	"math"
	"strconv"
	"strings"
)

// validNumber reports whether s is a number as JSON writes it (RFC 8259,
// section 6).
func validNumber(s string) bool {
	s = strings.TrimPrefix(s, "-")
	whole := digits(s)
	if whole == 0 || whole > 1 && s[0] == '0' {
		return false
	}
	s = s[whole:]
	if frac, ok := strings.CutPrefix(s, "."); ok {
		n := digits(frac)
		if n == 0 {
			return false
		}
		s = frac[n:]
	}
	if s != "" && (s[0] == 'e' || s[0] == 'E') {
		s = s[1:]
		if s != "" && (s[0] == '+' || s[0] == '-') {
			s = s[1:]
		}
		n := digits(s)
		return n > 0 && n == len(s)
	}
	return s == ""
}

// digits counts the decimal digits that s begins with.
func digits(s string) int {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return i
		}
	}
	return len(s)
}

// isInteger reports whether the number literal s is written as an integer.
func isInteger(s string) bool {
	s = strings.TrimPrefix(s, "-")
	return s != "" && digits(s) == len(s)
}

// appendNumber appends the JSON number literal s in the shortest form that
// keeps its value: an integer, a float64, or, for what neither of them holds
// exactly, an extension with the literal itself. What is written as an integer
// comes back written as one, or a big.Int would not read it.
func appendNumber(b []byte, s string) []byte {
	whole := isInteger(s)
	if whole {
		if n, err := strconv.ParseInt(s, 10, 64); err == nil {
			return appendInt(b, n)
		}
		if n, err := strconv.ParseUint(s, 10, 64); err == nil {
			return appendUint(b, n)
		}
	}
	f, err := strconv.ParseFloat(s, 64)
	switch {
	case err != nil:
	case whole && string(appendJSONFloat(nil, f, 64)) == s,
		!whole && decimalOf(s) == decimalOf(strconv.FormatFloat(f, 'e', -1, 64)):
		return appendFloat64(b, f)
	}
	return appendExt(b, extNumber, s)
}

// decimal is a decimal number in a form that is the same for all spellings of
// one value: "12.50", "1.25e1".
type decimal struct {
	negative bool
	digits   string // neither leading nor trailing zeros; "" for zero
	exponent int    // of the last digit
}

func decimalOf(s string) decimal {
	var d decimal
	s, d.negative = strings.CutPrefix(s, "-")
	if i := strings.IndexAny(s, "eE"); i >= 0 {
		exp, err := strconv.Atoi(s[i+1:])
		if err != nil || exp > math.MaxInt32 || exp < math.MinInt32 {
			return decimal{digits: s} // no float64: equal to nothing but itself
		}
		d.exponent, s = exp, s[:i]
	}
	whole, frac, _ := strings.Cut(s, ".")
	d.exponent -= len(frac)
	d.digits = strings.TrimLeft(whole+frac, "0")
	n := len(d.digits)
	d.digits = strings.TrimRight(d.digits, "0")
	d.exponent += n - len(d.digits)
	if d.digits == "" {
		d.exponent = 0
	}
	return d
}

// appendJSONFloat appends f as encoding/json spells a float64: as short as
// possible, with an exponent only where ECMAScript would write one.
func appendJSONFloat(b []byte, f float64, bits int) []byte {
	format := byte('f')
	if a := math.Abs(f); a != 0 {
		if bits == 64 && (a < 1e-6 || a >= 1e21) || bits == 32 && (float32(a) < 1e-6 || float32(a) >= 1e21) {
			format = 'e'
		}
	}
	start := len(b)
	b = strconv.AppendFloat(b, f, format, -1, bits)
	// strconv writes at least two digits of exponent, ECMAScript no more
	// than needed: 1e-09 is 1e-9.
	if n := len(b); format == 'e' && n-start >= 4 && b[n-4] == 'e' && b[n-3] == '-' && b[n-2] == '0' {
		b[n-2] = b[n-1]
		b = b[:n-1]
	}
	return b
}
