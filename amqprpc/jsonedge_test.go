package amqprpc_test

import (
	"context"
	"math"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/codec"
)

type jsonEdge struct {
	N     int            `json:"n"`
	Text  string         `json:"text"`
	Map   map[string]int `json:"map"`
	Pair  [2]int         `json:"pair"`
	Any   any            `json:"any"`
	Float float64        `json:"float"`
	Bytes []byte         `json:"bytes"`
}

// The test checks the cases that RFC 8259 leaves open, as docs/protocol.md defines them.
func TestJSONEdgeCases(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	startServer(t, url, func(s *amqprpc.Server) {
		amqprpc.Register(s, queue, func(_ context.Context, v jsonEdge) (jsonEdge, error) { return v, nil })
	})
	p := newPeer(t, url)
	nested := func(levels int) string { // includes the level of the surrounding object
		return `{"any":` + strings.Repeat("[", levels-1) + strings.Repeat("]", levels-1) + `}`
	}
	for name, c := range map[string]struct{ body, want string }{ // want is a part of the echo, "" if refused
		"byte order mark":         {"\xef\xbb\xbf{}", ""},
		"UTF-16":                  {"\xff\xfe{\x00}\x00", ""},
		"white space":             {"\t\n\r {} \n", `"n":0`},
		"a name twice":            {`{"n":1,"n":2}`, `"n":2`},
		"a map twice":             {`{"map":{"a":1},"map":{"b":2}}`, `"map":{"a":1,"b":2}`},
		"any value twice":         {`{"any":{"a":1},"any":{"b":2}}`, `"any":{"b":2}`},
		"another case last":       {`{"n":1,"N":2}`, `"n":2`},
		"another case first":      {`{"N":2,"n":1}`, `"n":1`},
		"unknown names":           {`{"m":[{}],"n":3}`, `"n":3`},
		"null":                    {`{"n":null}`, `"n":0`},
		"null alone":              {`null`, `"n":0`},
		"invalid UTF-8":           {"{\"text\":\"\xff\"}", "\"text\":\"\ufffd\""},
		"half a surrogate pair":   {`{"text":"\ud800"}`, "\"text\":\"\ufffd\""},
		"a control character":     {"{\"text\":\"\x01\"}", ""},
		"a fraction of zero":      {`{"n":1.0}`, ""},
		"an exponent":             {`{"n":1e2}`, ""},
		"minus zero":              {`{"n":-0}`, `"n":0`},
		"beyond 64 bits":          {`{"n":9223372036854775808}`, ""},
		"a number too large":      {`{"float":1e400}`, ""},
		"beyond 2^53, any":        {`{"any":9007199254740993}`, `"any":9007199254740992`},
		"a list too long":         {`{"pair":[1,2,3]}`, `"pair":[1,2]`},
		"base64 without padding":  {`{"bytes":"YQ"}`, ""},
		"base64 for URLs":         {`{"bytes":"_w=="}`, ""},
		"NaN":                     {`{"float":NaN}`, ""},
		"bytes after the value":   {"{}\x00", ""},
		"a comment":               {"{}//", ""},
		"a comma too many":        {`{"n":1,}`, ""},
		"10000 levels":            {nested(10000), `"any":[[`},
		"10001 levels":            {nested(10001), ""},
		"a string for an integer": {`{"n":"1"}`, ""},
	} {
		d := p.ask(queue, amqp.Publishing{ContentType: "application/json", Body: []byte(c.body)})
		if c.want == "" {
			require.Equal(t, "invalid_argument", d.Headers["rpc-code"], "%s: %s", name, d.Body)
			continue
		}
		require.Empty(t, d.Headers, "%s: %s", name, d.Body)
		require.Contains(t, string(d.Body), c.want, name)
	}
}

// No sender sends NaN or an infinity, in any format, nor null in its place.
func TestNumbersThatNoSenderSends(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	startServer(t, url, func(s *amqprpc.Server) {
		amqprpc.Register(s, queue, func(_ context.Context, divisor float64) (float64, error) { return 1 / divisor, nil })
	})
	for _, c := range []codec.Codec{codec.JSON{}, codec.MsgPack{}} {
		cli := dial(t, url, amqprpc.WithCodec(c))
		for _, n := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
			_, err := amqprpc.Call[float64, float64](testContext(t), cli, queue, n)
			require.ErrorIs(t, err, amqprpc.CodeInvalidArgument)
			require.Equal(t, amqprpc.OutcomeNotSent, amqprpc.OutcomeOf(err))
		}
		_, err := amqprpc.Call[float64, float64](testContext(t), cli, queue, 0)
		require.ErrorIs(t, err, amqprpc.CodeInternal)
		require.Equal(t, amqprpc.OutcomeExecuted, amqprpc.OutcomeOf(err))
	}
}

// A caller in any language understands why its request does not decode: the message names the
// field and what was expected, and says nothing of Go.
func TestDecodeErrorsSayNothingOfGo(t *testing.T) {
	t.Parallel()
	type person struct {
		Age   uint8            `json:"age"`
		Names []string         `json:"names"`
		Since *time.Time       `json:"since"`
		Marks map[string]int64 `json:"marks"`
	}
	url, queue := brokerURL(t), queueName(t)
	startServer(t, url, func(s *amqprpc.Server) {
		amqprpc.Register(s, queue, func(context.Context, person) (amqprpc.None, error) { return amqprpc.None{}, nil })
	})
	cli := dial(t, url)
	for _, c := range []codec.Codec{codec.JSON{}, codec.MsgPack{}} {
		for field, bad := range map[string]any{
			`"age": 300 is not from 0 to 255`:                 map[string]any{"age": 300},
			`"age": a string, where an integer was expected`:  map[string]any{"age": "old"},
			`"names": a string, where an array was expected`:  map[string]any{"names": "Ada"},
			`"marks": an array, where an object was expected`: map[string]any{"marks": []int{}},
			`": an object, where a string was expected`:       map[string]any{"names": []any{map[string]any{}}},
			`a string, where an object was expected`:          "Ada",
		} {
			_, err := amqprpc.Call[any, amqprpc.None](testContext(t), cli, queue, bad, amqprpc.WithCodec(c))
			require.ErrorIs(t, err, amqprpc.CodeInvalidArgument)
			require.ErrorContains(t, err, field)
			require.NotRegexp(t, `Go |uint|int8|struct|map\[|\[\]|person`, strings.ReplaceAll(err.Error(), "names[0]", ""))
		}
	}
}
