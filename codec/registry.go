package codec

import (
	"errors"
	"fmt"
	"mime"
	"reflect"
	"slices"
	"strings"
)

// maxContentType is the longest content type that fits AMQP's content-type
// property, a short string (AMQP 0-9-1, section 4.2.5.3).
const maxContentType = 255

// A Registry finds the codec for a content type. A Registry never changes, so it is safe for
// concurrent use. Make one with NewRegistry; the zero value has no codec.
type Registry struct {
	byType map[string]Codec
	types  []string // the codecs' own content types in the given order
	first  Codec
}

// NewRegistry makes a registry of the codecs. The first codec is the default.
//
// It returns an error if there is no codec, if a codec is nil, if a content type or an alias
// (see Aliaser) is not a bare media type (type "/" subtype, without parameters, at most 255
// bytes), or if two codecs claim the same content type.
func NewRegistry(codecs ...Codec) (*Registry, error) {
	if len(codecs) == 0 {
		return nil, errors.New("codec: registry: no codecs")
	}
	r := &Registry{byType: make(map[string]Codec), first: codecs[0]}
	owner := make(map[string]int)
	for i, c := range codecs {
		if v := reflect.ValueOf(c); !v.IsValid() || v.Kind() == reflect.Pointer && v.IsNil() {
			return nil, fmt.Errorf("codec: registry: codec %d is nil", i+1)
		}
		names := []string{c.ContentType()}
		if a, ok := c.(Aliaser); ok {
			names = append(names, a.Aliases()...)
		}
		for _, name := range names {
			if mime.FormatMediaType(name, nil) == "" || !strings.Contains(name, "/") || len(name) > maxContentType {
				return nil, fmt.Errorf("codec: registry: %T: content type %.80q is not a bare media type of at most %d bytes", c, name, maxContentType)
			}
			key := strings.ToLower(name)
			if prev, taken := owner[key]; taken && prev != i {
				return nil, fmt.Errorf("codec: registry: %T and %T both claim content type %q", codecs[prev], c, key)
			}
			owner[key] = i
			r.byType[key], r.byType[name] = c, c // Lookup tries the name as it is first
		}
		r.types = append(r.types, names[0])
	}
	return r, nil
}

// Lookup returns the codec that reads contentType. It ignores case and parameters (";
// charset=utf-8") and does not check the parameters. An empty content type finds no codec:
// the caller decides its meaning.
//
// For the codecs' own spelling, Lookup does not allocate.
func (r *Registry) Lookup(contentType string) (Codec, bool) {
	if c, ok := r.byType[contentType]; ok {
		return c, true
	}
	bare, _, _ := strings.Cut(contentType, ";")
	c, ok := r.byType[strings.ToLower(strings.Trim(bare, " \t"))]
	return c, ok
}

// Default returns the first codec of the registry.
func (r *Registry) Default() Codec { return r.first }

// ContentTypes returns the codecs' own content types, without aliases, in the given order.
// The caller owns the slice.
func (r *Registry) ContentTypes() []string { return slices.Clone(r.types) }
