package discovery

import (
	"bytes"
	"encoding/json"
	"errors"
	"regexp"
	"strconv"
	"strings"
)

// schema adds a schema to the document if it is not there yet, and returns the reference to it.
func (b *apiBuilder) schema(typ string, schema json.RawMessage) (json.RawMessage, error) {
	key := typ + "\x00" + string(schema)
	if b.refs[key] == nil {
		name := b.schemas.take(importPath.ReplaceAllString(typ, ""))
		ref := "#/components/schemas/" + name
		text, err := relocated(schema, ref)
		if err != nil {
			return nil, err
		}
		b.doc.Components.Schemas[name], b.refs[key] = text, plainJSON(apiReference{ref})
	}
	return b.refs[key], nil
}

var errNoSchema = errors.New("it is no JSON Schema")

// relocated returns a schema for a place in another document, whose reference is base. Its
// members keep their order.
func relocated(schema json.RawMessage, base string) (json.RawMessage, error) {
	schema = bytes.TrimSpace(schema)
	switch {
	case string(schema) == "true": // AsyncAPI wants an object
		return json.RawMessage("{}"), nil
	case string(schema) == "false":
		return json.RawMessage(`{"not":{}}`), nil
	case !json.Valid(schema) || schema[0] != '{': // Valid also limits the depth
		return nil, errNoSchema
	}
	return copied(schema, isSchema, base), nil
}

// copied returns a copy of valid JSON for a place whose reference is base.
func copied(text json.RawMessage, m meaning, base string) json.RawMessage {
	r := relocation{in: json.NewDecoder(bytes.NewReader(text)), base: base}
	r.in.UseNumber()
	r.value(m)
	return r.out.Bytes()
}

// relocation copies a schema, and changes its references. Any other member with the name $ref
// is left out, because the tools of AsyncAPI take it for a reference. The input is valid, so
// that reading it has no errors.
type relocation struct {
	in   *json.Decoder
	out  bytes.Buffer
	base string
}

// meaning says what a value in a schema is.
type meaning int

const (
	isSchema  meaning = iota // a schema, or an array of schemas
	hasNames                 // an object of schemas by their names
	isLiteral                // any other value
)

var meanings = map[string]meaning{
	"properties": hasNames, "patternProperties": hasNames, "dependentSchemas": hasNames, "$defs": hasNames, "definitions": hasNames,
	"enum": isLiteral, "const": isLiteral, "default": isLiteral, "examples": isLiteral,
}

// value copies the next value.
func (r *relocation) value(m meaning) {
	token, _ := r.in.Token()
	delim, composite := token.(json.Delim)
	if !composite {
		r.out.Write(plainJSON(token))
		return
	}
	r.out.WriteString(delim.String())
	for start := r.out.Len(); r.in.More(); {
		length := r.out.Len()
		if length > start {
			r.out.WriteByte(',')
		}
		if delim == '[' {
			r.value(m)
		} else if name, _ := r.in.Token(); !r.member(m, name.(string)) {
			r.out.Truncate(length)
		}
	}
	token, _ = r.in.Token()
	r.out.WriteString(token.(json.Delim).String())
}

// member copies a member of an object, and reports whether it is still there.
func (r *relocation) member(m meaning, name string) bool {
	inner := m
	switch {
	case m == isSchema && (name == "$schema" || name == "$id"), name == "$ref":
		return r.reference(m, name)
	case m == isSchema:
		inner = meanings[name]
	case m == hasNames:
		inner = isSchema
	}
	r.out.Write(plainJSON(name))
	r.out.WriteByte(':')
	r.value(inner)
	return true
}

// reference copies a keyword that names a schema. A name of a whole document has no meaning
// within another document.
func (r *relocation) reference(m meaning, name string) bool {
	var value any
	_ = r.in.Decode(&value)
	to, isText := value.(string)
	if m != isSchema || name != "$ref" || !isText {
		return false
	}
	if to == "#" || strings.HasPrefix(to, "#/") {
		to = r.base + to[1:]
	} else {
		name, to = "$comment", "left out: a reference to "+to
	}
	r.out.Write(plainJSON(name))
	r.out.WriteByte(':')
	r.out.Write(plainJSON(to))
	return true
}

// plainJSON returns the JSON of a string, a number, a bool, a nil or a reference.
func plainJSON(v any) json.RawMessage {
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	_ = e.Encode(v) // it cannot fail for these
	return bytes.TrimSpace(text.Bytes())
}

var (
	importPath = regexp.MustCompile(`[^\s\[\]{}()*,]*/`)
	unsafeName = regexp.MustCompile(`[^A-Za-z0-9_.-]+`)
)

// uniqueNames has the names that are taken in one part of the document.
type uniqueNames map[string]int

// take returns a name like the given one that is free, and that is part of a reference without
// escaping.
func (u uniqueNames) take(like string) string {
	base := strings.Trim(unsafeName.ReplaceAllString(like, "_"), "_")
	if base == "" {
		base = "unnamed"
	}
	name := base
	for u[name] > 0 {
		u[base]++
		name = base + "_" + strconv.Itoa(u[base])
	}
	u[name] = 1
	return name
}
