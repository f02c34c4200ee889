package web

import (
	"context"
	"encoding/json"
	"iter"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc/describe"
	"github.com/bbebcec1/amqprpc-go/cmd/amqprpc/internal/testbroker"
	"github.com/bbebcec1/amqprpc-go/cmd/amqprpc/internal/testchromium"
)

// evil is a name that runs a script where it is taken for HTML.
const evil = `<img src=x onerror="window.pwned=1"><script>window.pwned=1</script>` + "\x1b[31m\u202e\u0000'\"`"

func evilInfo() describe.Info {
	quoted, err := json.Marshal(evil)
	if err != nil {
		panic(err) // a string
	}
	q := string(quoted)
	schema := `{"title":` + q + `,"description":` + q + `,"type":"object","required":["a","__proto__","wide","tree","bad"],"properties":{` +
		`"a":{"type":"string","description":` + q + `,"pattern":` + q + `},` + q + `:{"enum":[` + q + `,null,{}]},` +
		`"__proto__":{"type":"object","properties":{"polluted":{"const":true}},"required":["polluted"]},` +
		`"loop":{"$ref":"#/$defs/loop"},"wide":{"$ref":"#/$defs/wide"},"tree":{"$ref":"#/$defs/tree"},"bad":{"type":"object","required":"x","properties":7},"far":{"$ref":"https://example.com/x"},"lost":{"$ref":"#/%"},"wrong":{"type":7,"enum":3,"items":[]},` +
		`"map":{"type":"object","additionalProperties":{"type":"string"}},"odd":{"oneOf":[null,7,` + q + `]}},` +
		`"$defs":{"loop":{"allOf":[{"$ref":"#/$defs/loop"},{"$ref":"#/$defs/loop"}]},"wide":{"allOf":[` + strings.Repeat(`{"$ref":"#/$defs/wide"},`, 40) + `{}]},` +
		`"tree":{"type":"object","required":["` + strings.Join(strings.Split("abcdefghijklmnopqrstuvwxyz", ""), `","`) + `"],"properties":{"a":{"$ref":"#/$defs/tree"}` +
		`,"b":{"$ref":"#/$defs/tree"},"c":{"$ref":"#/$defs/tree"},"d":{"$ref":"#/$defs/tree"},"e":{"$ref":"#/$defs/tree"},"f":{"$ref":"#/$defs/tree"}}}}}`
	m := describe.Method{
		Queue: evil, Kind: evil, Doc: evil, Delivery: evil, Codecs: []string{evil}, Errors: []describe.Error{{Code: evil, Details: quoted}},
		Request:  describe.Message{Type: evil, Schema: json.RawMessage(schema), Example: json.RawMessage(`{"a":` + q + `,` + q + `:null,"map":{` + q + `:` + q + `}}`)},
		Response: describe.Message{Type: evil, Schema: quoted, Example: quoted},
	}
	deep := json.RawMessage(strings.Repeat("[", 9000) + strings.Repeat("]", 9000))
	m.Response.Example, m.Errors[0].Details = deep, deep
	plain := m
	plain.Queue, plain.Kind, plain.Request.Example = "plain", describe.KindUnary, nil
	i := info(evil, evil, evil, m, plain)
	i.Host, i.Description, i.Metadata = evil, evil, map[string]string{evil: evil}
	i.Build = describe.Build{Library: evil, Revision: evil}
	return i
}

// What instances say is text on the page, whatever it is, and runs nothing.
func TestHostileInstancesInTheBrowser(t *testing.T) {
	t.Parallel()
	many := make([]describe.Info, 0, 10_000)
	for i := range cap(many) - 1 {
		many = append(many, info(strings.Repeat("i", i%50), "many", "1", methodOf("many.q", `{}`)))
	}
	many = append(many, evilInfo())
	src := source{
		infos: func(context.Context) iter.Seq2[describe.Info, error] { return all(many...) },
		stats: func(context.Context) iter.Seq2[describe.Stats, error] {
			s := statsOf(evil, 5, 5, 1)
			s.Methods[0].Queue, s.Methods[0].Failures[0].Message, s.Methods[0].Failures[0].Code = evil, evil, evil
			s.Methods[0].Calls = map[string]int64{evil: 7, "__proto__": 1}
			return all(s)
		},
	}
	s := serve(t, newPage(Config{Client: dial(t, testbroker.URL(t, node))}, src))
	w := testchromium.Open(t, s.URL, 1280, 900)
	w.Sees("10,000 instances")
	w.Sees(`<script>window.pwned=1</script>\u001b[31m\u202e\u0000`)
	harmless := func() {
		t.Helper()
		require.True(t, testchromium.Eval[bool](w, `window.pwned === undefined && ({}).polluted === undefined && document.querySelectorAll('main script, main img, nav img').length === 0`))
		require.True(t, testchromium.Eval[bool](w, "document.documentElement.scrollWidth <= innerWidth"))
	}
	harmless()
	w.Click("summary", "Instances")
	for _, queue := range []string{evil, "plain", `"><script>window.pwned=1</script>`} {
		testchromium.Eval[bool](w, "location.hash = '#/m/' + encodeURIComponent("+quote(t, queue)+"), true")
		w.Until("document.querySelector('h1').textContent.includes(" + quote(t, strings.Split(queue, "\x1b")[0]) + ")")
		w.Until("document.querySelector('textarea.grow')")
		harmless()
	}
	// The form of the hostile schema can be used, and a hostile error is text, too.
	testchromium.Eval[bool](w, "location.hash = '#/m/plain', true")
	w.Until("document.querySelector('.top-group')")
	for range 3 {
		w.Click(".chip", "")
	}
	w.Click("button", "Call")
	w.Until("document.querySelector('.failure')")
	harmless()
}

func quote(t *testing.T, s string) string {
	t.Helper()
	b, err := json.Marshal(s)
	require.NoError(t, err)
	return string(b)
}

// The page asks for its token once, and the token is not left in the address.
func TestTokenInTheBrowser(t *testing.T) {
	t.Parallel()
	s := serve(t, pageOfNobody(t, Config{Token: secret}))
	w := testchromium.Open(t, s.URL, 375, 700)
	w.Sees("This page needs its token")
	w.Press("not-the-token-at-all" + testchromium.Enter)
	w.Sees("this is not the token of this page")
	testchromium.Eval[bool](w, "document.querySelector('input[type=password]').value = '', true")
	w.Press(secret + testchromium.Enter)
	w.Sees("No service answers")
	w.Sees("amqprpc.NewServer")
	for _, fault := range w.Forget() {
		require.Contains(t, fault, "401")
	}
	linked := testchromium.Open(t, s.URL+"/#token="+secret, 375, 700)
	linked.Sees("No service answers")
	require.NotContains(t, testchromium.Eval[string](linked, "location.href + document.cookie"), secret)
	require.Empty(t, testchromium.Eval[string](linked, "document.cookie"))
}
