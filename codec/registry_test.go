package codec_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/codec"
)

// named is a codec with a given content type. The tests of the registry need no encoding.
type named struct {
	codec.JSON
	contentType string
	aliases     []string
}

func (n named) ContentType() string { return n.contentType }
func (n named) Aliases() []string   { return n.aliases }

func TestRegistryLookup(t *testing.T) {
	t.Parallel()
	odd := named{contentType: "Application/Vnd.Example+CBOR"}
	r, err := codec.NewRegistry(codec.JSON{}, codec.MsgPack{UseNumber: true}, odd)
	require.NoError(t, err)

	for contentType, want := range map[string]codec.Codec{
		"application/json":                  codec.JSON{},
		"APPLICATION/JSON":                  codec.JSON{},
		"Application/Json; Charset=UTF-8":   codec.JSON{},
		"application/json;charset=utf-8":    codec.JSON{},
		" application/json ":                codec.JSON{},
		"application/json;":                 codec.JSON{},
		"application/json ; \"not parsed\"": codec.JSON{},
		"application/msgpack":               codec.MsgPack{UseNumber: true},
		"application/x-msgpack":             codec.MsgPack{UseNumber: true},
		"application/vnd.msgpack":           codec.MsgPack{UseNumber: true},
		"application/X-MsgPack; v=1":        codec.MsgPack{UseNumber: true},
		"Application/Vnd.Example+CBOR":      odd,
		"application/vnd.example+cbor":      odd,
		"":                                  nil,
		";":                                 nil,
		"application":                       nil,
		"application/jsonp":                 nil,
		"application/json, text/plain":      nil,
		"text/json":                         nil,
		strings.Repeat("a", 300):            nil,
	} {
		got, ok := r.Lookup(contentType)
		require.Equal(t, want != nil, ok, "%q", contentType)
		require.Equal(t, want, got, "%q", contentType)
	}
	require.Equal(t, codec.JSON{}, r.Default())
}

func TestRegistryContentTypes(t *testing.T) {
	t.Parallel()
	r, err := codec.NewRegistry(codec.MsgPack{}, codec.JSON{})
	require.NoError(t, err)
	require.Equal(t, []string{"application/msgpack", "application/json"}, r.ContentTypes())

	r.ContentTypes()[0] = "changed"
	require.Equal(t, []string{"application/msgpack", "application/json"}, r.ContentTypes())
	require.Equal(t, codec.MsgPack{}, r.Default())
}

func TestRegistryErrors(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		codecs []codec.Codec
		want   string
	}{
		"none":              {nil, "codec: registry: no codecs"},
		"nil":               {[]codec.Codec{codec.JSON{}, nil}, "codec: registry: codec 2 is nil"},
		"nil pointer":       {[]codec.Codec{(*codec.JSON)(nil)}, "codec: registry: codec 1 is nil"},
		"empty":             {[]codec.Codec{named{}}, `codec_test.named: content type "" is not a bare media type`},
		"no subtype":        {[]codec.Codec{named{contentType: "json"}}, `"json" is not`},
		"empty type":        {[]codec.Codec{named{contentType: "/json"}}, `"/json" is not`},
		"empty subtype":     {[]codec.Codec{named{contentType: "application/"}}, `"application/" is not`},
		"two slashes":       {[]codec.Codec{named{contentType: "a/b/c"}}, `"a/b/c" is not`},
		"parameter":         {[]codec.Codec{named{contentType: "text/csv; header=present"}}, "is not"},
		"space":             {[]codec.Codec{named{contentType: "text/ csv"}}, "is not"},
		"not ASCII":         {[]codec.Codec{named{contentType: "text/csü"}}, "is not"},
		"over a short str":  {[]codec.Codec{named{contentType: "text/" + strings.Repeat("c", 251)}}, "at most 255 bytes"},
		"bad alias":         {[]codec.Codec{named{contentType: "text/csv", aliases: []string{"csv"}}}, `"csv" is not`},
		"twice":             {[]codec.Codec{codec.JSON{}, codec.JSON{UseNumber: true}}, `codec.JSON and codec.JSON both claim content type "application/json"`},
		"in another case":   {[]codec.Codec{codec.JSON{}, named{contentType: "Application/JSON"}}, "both claim"},
		"alias of another":  {[]codec.Codec{codec.MsgPack{}, named{contentType: "application/x-msgpack"}}, `both claim content type "application/x-msgpack"`},
		"another's by name": {[]codec.Codec{codec.JSON{}, named{contentType: "text/json", aliases: []string{"application/json"}}}, "both claim"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, err := codec.NewRegistry(tt.codecs...)
			require.ErrorContains(t, err, tt.want)
			require.Nil(t, r)
		})
	}
}

func TestRegistryTakesAnAliasThatIsItsOwnName(t *testing.T) {
	t.Parallel()
	c := named{contentType: "text/csv", aliases: []string{"Text/CSV", "text/x-csv"}}
	r, err := codec.NewRegistry(c)
	require.NoError(t, err)
	got, ok := r.Lookup("text/X-csv")
	require.True(t, ok)
	require.Equal(t, c, got)
}

func TestLookupDoesNotAllocate(t *testing.T) {
	r, err := codec.NewRegistry(codec.JSON{}, codec.MsgPack{})
	require.NoError(t, err)
	for _, contentType := range []string{"application/json", "application/x-msgpack", "application/json; charset=utf-8"} {
		require.Zero(t, testing.AllocsPerRun(100, func() { r.Lookup(contentType) }), contentType)
	}
}
