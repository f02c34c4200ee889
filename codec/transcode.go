package codec

import (
	"encoding/base64"
	"encoding/json"
	"strconv"
	"unicode/utf8"
)

// transcode encodes the JSON value in text, for types that know how to write
// themselves in JSON and not in MessagePack. The order of keys is kept.
func (e *encoder) transcode(text []byte) error {
	if !json.Valid(text) {
		// Unmarshal looks at the text before anything else, and says what is
		// wrong with it.
		return jsonReason(json.Unmarshal(text, new(any)))
	}
	t := transcoder{encoder: e, text: text, sizes: sizes(text)}
	return t.value()
}

// sizes returns how many elements each array, and how many pairs each object
// of the valid JSON value has, in the order in which they open: MessagePack
// wants to know before the first.
func sizes(text []byte) []int {
	var sizes, open []int
	empty := false // nothing but white space since the last opening bracket
	for i := 0; i < len(text); i++ {
		switch c := text[i]; c {
		case ' ', '\t', '\r', '\n':
		case '[', '{':
			if empty {
				sizes[open[len(open)-1]] = 1
			}
			open = append(open, len(sizes))
			sizes = append(sizes, 0)
			empty = true
		case ']', '}':
			open = open[:len(open)-1]
			empty = false
		case ',':
			sizes[open[len(open)-1]]++
		default:
			if empty {
				sizes[open[len(open)-1]] = 1
				empty = false
			}
			if c == '"' {
				i += stringLen(text[i:]) - 1
			}
		}
	}
	return sizes
}

// stringLen is the length of the JSON string that text begins with, quotes
// included.
func stringLen(text []byte) int {
	for i := 1; ; i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
}

// transcoder walks over a valid JSON value.
type transcoder struct {
	*encoder
	text  []byte
	sizes []int // of the arrays and objects to come
}

// next passes over white space, colons and commas, and returns the byte after.
func (t *transcoder) next() byte {
	for {
		switch c := t.text[0]; c {
		case ' ', '\t', '\r', '\n', ':', ',':
			t.text = t.text[1:]
		default:
			return c
		}
	}
}

func (t *transcoder) value() error {
	switch c := t.next(); c {
	case '{':
		return t.container(2, appendMapHead)
	case '[':
		return t.container(1, appendArrayHead)
	case '"':
		return t.string()
	case 'n':
		t.buf = appendNil(t.buf)
		t.text = t.text[len("null"):]
	case 't':
		t.buf = appendBool(t.buf, true)
		t.text = t.text[len("true"):]
	case 'f':
		t.buf = appendBool(t.buf, false)
		t.text = t.text[len("false"):]
	default:
		n := numberLen(t.text)
		t.buf = appendNumber(t.buf, string(t.text[:n]))
		t.text = t.text[n:]
	}
	return nil
}

// container transcodes an array or an object, whose n elements are so many
// values each.
func (t *transcoder) container(values int, appendHead func([]byte, int) []byte) error {
	if err := t.enter(); err != nil {
		return err
	}
	n := t.sizes[0]
	t.sizes = t.sizes[1:]
	t.buf = appendHead(t.buf, n)
	t.text = t.text[1:]
	for range n * values {
		if err := t.value(); err != nil {
			return err
		}
	}
	t.next()
	t.text = t.text[1:]
	t.leave()
	return nil
}

func (t *transcoder) string() error {
	n := stringLen(t.text)
	quoted := t.text[:n]
	t.text = t.text[n:]
	if plain(quoted[1 : n-1]) {
		t.buf = appendString(t.buf, quoted[1:n-1])
		return nil
	}
	var s string
	if err := json.Unmarshal(quoted, &s); err != nil {
		return err
	}
	t.buf = appendString(t.buf, s)
	return nil
}

// plain reports whether what is between the quotes of a JSON string is the
// string itself.
func plain(b []byte) bool {
	for _, c := range b {
		if c == '\\' {
			return false
		}
	}
	return utf8.Valid(b)
}

// numberLen counts the bytes that text begins with and that are of a number.
func numberLen[T string | []byte](text T) int {
	for i := range len(text) {
		switch text[i] {
		case '+', '-', '.', 'e', 'E', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
		default:
			return i
		}
	}
	return len(text)
}

// transcode appends the next value as JSON.
func (d *decoder) transcode(dst []byte) ([]byte, error) {
	c, err := d.code()
	if err != nil {
		return dst, err
	}
	switch k := kindOf(c); k {
	case kindNil:
		return append(dst, "null"...), nil
	case kindBool:
		return strconv.AppendBool(dst, c == codeTrue), nil
	case kindInt:
		n, err := d.integer(c)
		return n.append(dst), err
	case kindFloat:
		n, err := d.number(c)
		return append(dst, n...), err
	case kindString:
		b, err := d.bytes(c)
		return appendJSONString(dst, b), err
	case kindBinary:
		b, err := d.bytes(c)
		dst = append(dst, '"')
		return append(base64.StdEncoding.AppendEncode(dst, b), '"'), err
	case kindArray:
		n, err := d.arrayLen(c)
		if err != nil {
			return dst, err
		}
		return d.transcodeList(dst, n)
	case kindMap:
		n, err := d.mapLen(c)
		if err != nil {
			return dst, err
		}
		return d.transcodePairs(dst, n)
	case kindExt:
		return d.transcodeExt(dst, c)
	}
	return dst, errReserved(c)
}

func (d *decoder) transcodeList(dst []byte, n int) ([]byte, error) {
	if err := d.enter(); err != nil {
		return dst, err
	}
	dst = append(dst, '[')
	for i := range n {
		if i > 0 {
			dst = append(dst, ',')
		}
		var err error
		if dst, err = d.transcode(dst); err != nil {
			return dst, inIndex(err, i)
		}
	}
	d.leave()
	return append(dst, ']'), nil
}

func (d *decoder) transcodePairs(dst []byte, n int) ([]byte, error) {
	if err := d.enter(); err != nil {
		return dst, err
	}
	dst = append(dst, '{')
	for i := range n {
		if i > 0 {
			dst = append(dst, ',')
		}
		key, err := d.mapKey()
		if err != nil {
			return dst, err
		}
		dst = append(appendJSONString(dst, key), ':')
		if dst, err = d.transcode(dst); err != nil {
			return dst, err
		}
	}
	d.leave()
	return append(dst, '}'), nil
}

func (d *decoder) transcodeExt(dst []byte, c byte) ([]byte, error) {
	start := d.pos
	typ, payload, err := d.ext(c)
	if err != nil {
		return dst, err
	}
	if typ == extTime {
		t, err := timestamp(typ, payload)
		if err != nil {
			return dst, err
		}
		dst = append(dst, '"')
		if dst, err = t.AppendText(dst); err != nil {
			return dst, err
		}
		return append(dst, '"'), nil
	}
	d.pos = start
	n, err := d.number(c)
	return append(dst, n...), err
}

// appendJSONString appends s as JSON writes it; bytes that are not UTF-8
// become U+FFFD, as with encoding/json.
func appendJSONString[S string | []byte](dst []byte, s S) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	for i := 0; i < len(s); {
		c := s[i]
		switch {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c < ' ':
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		case c < utf8.RuneSelf:
			dst = append(dst, c)
		default:
			r, n := utf8.DecodeRuneInString(string(s[i:min(len(s), i+utf8.UTFMax)]))
			dst = utf8.AppendRune(dst, r)
			i += n
			continue
		}
		i++
	}
	return append(dst, '"')
}
