package cli

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc/describe"
	"github.com/bbebcec1/amqprpc-go/cmd/amqprpc/internal/invoke"
)

func TestRequests(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "request.json")
	require.NoError(t, os.WriteFile(file, []byte(" {\"a\":1}\n"), 0o600))
	m, err := invoke.Of(describe.Method{Queue: "q", Request: describe.Message{Schema: json.RawMessage(
		`{"properties":{"name":{"type":"string"},"n":{"type":"integer"},"in":{"properties":{"zip":{"type":"string"},"a/b~c":{"type":"string"}}}}}`)}})
	require.NoError(t, err)
	for _, tc := range []struct {
		args []string
		want string
	}{
		{nil, `{}`},
		{[]string{`{"x":[1]}`}, `{"x":[1]}`},
		{[]string{`7`}, `7`},
		{[]string{`"a=b"`}, `"a=b"`},
		{[]string{"-"}, `{"in":true}`},
		{[]string{"@" + file}, `{"a":1}`},
		{[]string{"n=7", "name=7"}, `{"n":7,"name":"7"}`},
		{[]string{"name=true", "x=true", "y=null", "z="}, `{"name":"true","x":true,"y":null,"z":""}`},
		{[]string{"in.zip=04109", "in.more=1"}, `{"in":{"zip":"04109","more":1}}`},
		{[]string{"in.a/b~c=5"}, `{"in":{"a/b~c":"5"}}`},
		{[]string{"name:=7", "n=x"}, `{"name":7,"n":"x"}`},
		{[]string{"x=a=b", "y:={\"a\":[1,2]}"}, `{"x":"a=b","y":{"a":[1,2]}}`},
		{[]string{"x=<&>"}, `{"x":"<&>"}`},
	} {
		got, err := requestOf(m, tc.args, strings.NewReader(`{"in":true}`), true)
		require.NoError(t, err, tc.args)
		require.JSONEq(t, tc.want, string(got), tc.args)
	}
	for want, args := range map[string][]string{
		"is no JSON":          {"x"},
		"behind := is no":     {"x:=y"},
		"given twice":         {"x=1", "x=2"},
		"both a value and an": {"x=1", "x.y=2"},
		"argument \"=1\"":     {"=1"},
		"argument \":=1\"":    {":=1"},
		"no such file":        {"@" + file + ".absent"},
	} {
		_, err := requestOf(m, args, strings.NewReader(""), true)
		require.ErrorContains(t, err, want, args)
		require.Equal(t, statusUsage, statusOf(err), args)
	}
	for _, half := range []string{`{"x":`, `[1`, `"x`, ``} { // the validation says what is wrong
		got, err := requestOf(m, []string{half}, nil, true)
		require.NoError(t, err)
		require.ErrorContains(t, m.Validate(got), "the request")
	}
}

func TestRequestsThatCannotBeRead(t *testing.T) {
	t.Parallel()
	m := invoke.Foreign("q")
	_, err := requestOf(m, []string{"-"}, io.LimitReader(zeros{}, maxRequest+5), true)
	require.ErrorContains(t, err, "16 MiB")
	_, err = requestOf(m, []string{"-"}, iotest.ErrReader(errors.New("broken")), true)
	require.ErrorContains(t, err, "broken")

	var got []string
	var last error
	for row, err := range lines(t.Context(), io.MultiReader(strings.NewReader(" 1\n\n\r\n2"), iotest.ErrReader(errors.New("broken")))) {
		if last = err; err == nil {
			got = append(got, string(row))
		}
	}
	require.Equal(t, []string{"1", "2"}, got)
	require.ErrorContains(t, last, "broken")
	for _, err := range lines(t.Context(), io.LimitReader(zeros{}, maxRequest+5)) {
		last = err
	}
	require.ErrorIs(t, last, errLongLine)
	for row := range lines(t.Context(), strings.NewReader("1\n2\n3")) {
		require.Equal(t, "1", string(row))
		break
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = '0'
	}
	return len(p), nil
}
