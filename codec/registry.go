package codec

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// maxContentType is the longest content type that fits AMQP's content-type
// property, a short string (AMQP 0-9-1, section 4.2.5.3).
const maxContentType = 255

// A Registry finds the codec for a content type. It does not change once it
// is made, so any number of goroutines may use it. Make one with NewRegistry;
// the zero value has no codec.
type Registry struct {
	byType map[string]Codec
	types  []string // the codecs' own content types, in the order given
	first  Codec
}

// NewRegistry makes a registry of the codecs; the first is the default.
//
// It returns an error if there are none, if one is nil, if a content type or
// an alias (see Aliaser) is not a bare media type (type "/" subtype, without
// parameters, at most 255 bytes), or if two codecs claim the same one.
func NewRegistry(codecs ...Codec) (*Registry, error) {
	if len(codecs) == 0 {
		return nil, errors.New("codec: registry: no codecs")
	}
	r := &Registry{byType: make(map[string]Codec), first: codecs[0]}
	owner := make(map[string]int)
	for i, c := range codecs {
		if isNilCodec(c) {
			return nil, fmt.Errorf("codec: registry: codec %d is nil", i+1)
		}
		own := c.ContentType()
		names := []string{own}
		if a, ok := c.(Aliaser); ok {
			names = append(names, a.Aliases()...)
		}
		for _, name := range names {
			if err := checkContentType(name); err != nil {
				return nil, fmt.Errorf("codec: registry: %T: %w", c, err)
			}
			key := strings.ToLower(name)
			if prev, taken := owner[key]; taken && prev != i {
				return nil, fmt.Errorf("codec: registry: %T and %T both claim content type %q", codecs[prev], c, key)
			}
			owner[key] = i
			r.byType[key] = c
			// The spelling that the codec itself sends is the hot one: it
			// must be found without lowering it first.
			r.byType[name] = c
		}
		r.types = append(r.types, own)
	}
	return r, nil
}

// Lookup returns the codec that reads contentType. Case and parameters
// ("; charset=utf-8") are ignored; the parameters are not even checked. An
// empty content type finds nothing: what it means is the caller's to decide.
//
// The spelling that codecs themselves send is found without an allocation.
func (r *Registry) Lookup(contentType string) (Codec, bool) {
	if c, ok := r.byType[contentType]; ok {
		return c, true
	}
	bare, _, _ := strings.Cut(contentType, ";")
	c, ok := r.byType[strings.ToLower(strings.Trim(bare, " \t"))]
	return c, ok
}

// Default returns the first codec that the registry was made of.
func (r *Registry) Default() Codec { return r.first }

// ContentTypes lists the codecs' own content types, without aliases, in the
// order in which the codecs were given: what an error message or an
// "accepts" line names. The slice is the caller's own.
func (r *Registry) ContentTypes() []string { return slices.Clone(r.types) }

func isNilCodec(c Codec) bool {
	if c == nil {
		return true
	}
	v := reflect.ValueOf(c)
	return v.Kind() == reflect.Pointer && v.IsNil()
}

func checkContentType(s string) error {
	major, minor, ok := strings.Cut(s, "/")
	if !ok || !isToken(major) || !isToken(minor) || len(s) > maxContentType {
		return fmt.Errorf("content type %.80q is not a bare media type of at most %d bytes", s, maxContentType)
	}
	return nil
}

// isToken reports whether s is a token as RFC 9110, section 5.6.2, has it.
func isToken(s string) bool {
	for i := range len(s) {
		c := s[i]
		alnum := '0' <= c && c <= '9' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z'
		if !alnum && !strings.ContainsRune("!#$%&'*+-.^_`|~", rune(c)) {
			return false
		}
	}
	return s != ""
}
