package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/bbebcec1/amqprpc-go/cmd/amqprpc/internal/invoke"
)

// maxRequest is the largest request that is read, in bytes: the largest message of a client.
const maxRequest = 16 << 20

const requestHelp = `The request is JSON, @FILE, - for the input, or key=value pairs. The value of a
pair is JSON if it looks like JSON and the schema allows it, and a string otherwise. The value of
key:=value is always JSON. a.b=1 sets the member b of the object a. Write -- before a request that
begins with a minus, such as -5. Without a request, {} is sent.`

var errRequest = errors.New(`the request is no JSON: write '{"key": …}', @FILE, - or key=value`)

// requestOf makes the request of the arguments behind the method.
func requestOf(m *invoke.Method, args []string, in io.Reader, validate bool) (json.RawMessage, error) {
	switch {
	case len(args) == 0:
		return json.RawMessage("{}"), nil
	case len(args) == 1 && args[0] == "-":
		return readRequest(in, "the input")
	case len(args) == 1 && strings.HasPrefix(args[0], "@"):
		if args[0] == "@" {
			return nil, usage(errors.New("the name of the file behind @ is missing"))
		}
		f, err := os.Open(args[0][1:])
		if err != nil {
			return nil, usage(err)
		}
		defer f.Close()
		return readRequest(f, args[0][1:])
	case len(args) == 1 && looksLikeJSON(args[0]):
		return json.RawMessage(args[0]), nil // what is wrong with it says the validation
	}
	return requestOfPairs(m, args, validate)
}

// looksLikeJSON is true for JSON, and for what a person meant as an object, an array or a string.
func looksLikeJSON(arg string) bool {
	trimmed := strings.TrimSpace(arg)
	return json.Valid([]byte(arg)) || trimmed == "" || strings.ContainsRune(`{["`, rune(trimmed[0]))
}

func readRequest(r io.Reader, from string) (json.RawMessage, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxRequest+1))
	if err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", from, err)
	}
	if len(data) > maxRequest {
		return nil, usage(fmt.Errorf("the request in %s has more than %d MiB", from, maxRequest>>20))
	}
	return bytes.TrimSpace(data), nil
}

// pair is a key=value argument.
type pair struct {
	path []string // the key, split at its dots
	text string
	json bool // the value is JSON: from key:=value, or because it looks so
	sure bool // from key:=value
}

func pairOf(arg string) (pair, error) {
	key, value, ok := strings.Cut(arg, "=")
	if !ok || key == "" || key == ":" {
		return pair{}, usage(fmt.Errorf("argument %.100q: %w", arg, errRequest))
	}
	p := pair{text: value, json: json.Valid([]byte(value))}
	if k, ok := strings.CutSuffix(key, ":"); ok {
		if !p.json {
			return pair{}, usage(fmt.Errorf("argument %.100q: the value behind := is no JSON", arg))
		}
		key, p.sure = k, true
	}
	p.path = strings.Split(key, ".")
	return p, nil
}

// pointer returns the JSON Pointer of the pair's value.
func (p pair) pointer() string {
	var b strings.Builder
	for _, t := range p.path {
		b.WriteString("/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(t))
	}
	return b.String()
}

// requestOfPairs makes an object. A value that looks like JSON and that the schema does not take
// becomes a string: 007 may be a name.
func requestOfPairs(m *invoke.Method, args []string, validate bool) (json.RawMessage, error) {
	pairs := make([]pair, len(args))
	for i, arg := range args {
		var err error
		if pairs[i], err = pairOf(arg); err != nil {
			return nil, err
		}
	}
	request, err := objectOf(pairs)
	if err != nil || !validate {
		return request, err
	}
	problems := problemsOf(m, request)
	if len(problems) == 0 {
		return request, nil
	}
	for _, problem := range problems {
		for i := range pairs {
			if p := &pairs[i]; !p.sure && p.pointer() == problem.Path {
				p.json = false
			}
		}
	}
	asText, err := objectOf(pairs)
	if err != nil || len(problemsOf(m, asText)) >= len(problems) {
		return request, nil // its problems are those that the caller should see
	}
	return asText, nil
}

func problemsOf(m *invoke.Method, request json.RawMessage) []invoke.Problem {
	if invalid, ok := errors.AsType[*invoke.InvalidError](m.Validate(request)); ok {
		return invalid.Problems
	}
	return nil
}

func objectOf(pairs []pair) (json.RawMessage, error) {
	root := make(map[string]any)
	for _, p := range pairs {
		at := root
		last := len(p.path) - 1
		for _, key := range p.path[:last] {
			next, isMap := at[key].(map[string]any)
			if !isMap {
				if _, taken := at[key]; taken {
					return nil, usage(fmt.Errorf("key %.100q is both a value and an object", strings.Join(p.path, ".")))
				}
				next = make(map[string]any)
				at[key] = next
			}
			at = next
		}
		if _, taken := at[p.path[last]]; taken {
			return nil, usage(fmt.Errorf("key %.100q is given twice; write several values as key:='[…]'", strings.Join(p.path, ".")))
		}
		if p.json {
			at[p.path[last]] = json.RawMessage(p.text)
		} else {
			at[p.path[last]] = p.text
		}
	}
	return json.Marshal(root)
}
