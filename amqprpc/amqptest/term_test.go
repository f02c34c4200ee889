package amqptest

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/frame"
)

func TestTermsArePrintedAsErlangDoes(t *testing.T) {
	t.Parallel()
	for want, v := range map[string]any{
		`<<"text">>`:                      "text",
		`<<"a \"b\" \\ \n\t\r">>`:         "a \"b\" \\ \n\t\r",
		`<<1,2,255>>`:                     []byte{1, 2, 255},
		`<<>>`:                            "",
		`true`:                            true,
		`-5`:                              int64(-5),
		`1.5`:                             1.5,
		`2.0`:                             float32(2),
		`{2,314}`:                         frame.Decimal{Scale: 2, Value: 314},
		`undefined`:                       nil,
		`[{longstr,<<"x">>},{bool,true}]`: []any{"x", true},
		`[{<<"k">>,signedint,7}]`:         frame.Table{{Key: "k", Value: int32(7)}},
	} {
		require.Equal(t, want, term(v))
	}
	require.Equal(t, `first 16 octets = <<"0123456789abcdef">>`, snippet([]byte("0123456789abcdefgh")))
	require.Equal(t, `all octets = <<0>>`, snippet([]byte{0}))
	require.Less(t, len(binaryBytes(make([]byte, 1<<20))), 1000, "what is cut off need not be made")
}

func TestReplyTextsAreCut(t *testing.T) {
	t.Parallel()
	ex := fail(notFound, "no %s", strings.Repeat("x", 300))
	require.Len(t, ex.text, 255)
	require.True(t, strings.HasSuffix(ex.text, "x..."))
}

func TestExpirations(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]struct {
		ms    int64
		wrong string
	}{
		"0":                    {0, ""},
		"60000":                {60000, ""},
		"+7":                   {7, ""},
		"007":                  {7, ""},
		"-0":                   {0, ""},
		"315360000000":         {315360000000, ""},
		"315360000001":         {0, "{value_too_large,315360000001}"},
		"99999999999999999999": {0, "{value_too_large,99999999999999999999}"},
		"-1":                   {0, "{value_negative,-1}"},
		"1.5":                  {0, `{leftover_string,".5"}`},
		"10 ":                  {0, `{leftover_string," "}`},
		"abc":                  {0, "no_integer"},
		"":                     {0, "no_integer"},
		" 1":                   {0, "no_integer"},
		"-":                    {0, "no_integer"},
	} {
		ms, wrong := parseExpiration(s)
		require.Equal(t, want.ms, ms, s)
		require.Equal(t, want.wrong, wrong, s)
	}
}

func TestNumbersCompareByValue(t *testing.T) {
	t.Parallel()
	require.True(t, sameTerm(int8(5), int64(5)))
	require.False(t, sameTerm(int32(5), 5.0))
	require.True(t, sameTerm("x", []byte("x")))
	require.True(t, sameTerm([]any{"x"}, []any{"x"}))
	require.False(t, sameTerm(int32(5), "5"))
	require.False(t, sameTerm(true, int32(1)))
	require.False(t, sameTerm(frame.Table{{Key: "a", Value: true}}, frame.Table{}))
}
