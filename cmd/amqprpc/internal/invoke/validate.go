package invoke

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
	"golang.org/x/text/language"
	"golang.org/x/text/message"
)

// maxProblems is how many problems an InvalidError has at most.
const maxProblems = 20

// Problem says what is wrong with a request.
type Problem struct {
	Path string `json:"path"` // a JSON Pointer (RFC 6901) into the request; "" is the whole
	Text string `json:"text"`
}

// InvalidError is the error of a request that does not fit the schema of its method. The
// request was not sent.
type InvalidError struct {
	Queue    string
	Problems []Problem // at least one
	NotJSON  bool      // the request is no JSON at all
}

// Error returns all problems.
func (e *InvalidError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "the request does not fit %.255q", e.Queue)
	for i, p := range e.Problems {
		sep := "; "
		if i == 0 {
			sep = ": "
		}
		b.WriteString(sep)
		if p.Path != "" {
			b.WriteString("at " + p.Path + ": ")
		}
		b.WriteString(p.Text)
	}
	return b.String()
}

// notJSON returns the error of a request that is not JSON.
func notJSON(queue string, request json.RawMessage) error {
	text := "it is empty, and a request is JSON"
	if len(bytes.TrimSpace(request)) > 0 {
		err := json.Unmarshal(request, new(json.RawMessage))
		text = fmt.Sprintf("it is not JSON: %v", err)
		if at := (*json.SyntaxError)(nil); errors.As(err, &at) {
			text += fmt.Sprintf(" (at byte %d)", at.Offset)
		}
	}
	return &InvalidError{Queue: queue, Problems: []Problem{{Text: text}}, NotJSON: true}
}

func validate(queue string, s *jsonschema.Schema, request json.RawMessage) (err error) {
	defer func() {
		if p := recover(); p != nil { // a stranger's schema
			err = &InvalidError{Queue: queue, Problems: []Problem{{Text: fmt.Sprintf("the schema of the method cannot be used: %v", p)}}}
		}
	}()
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(request))
	if err != nil {
		return notJSON(queue, request)
	}
	if effort(s, &part{value: v}) > maxEffort {
		return &InvalidError{Queue: queue, Problems: []Problem{{Text: fmt.Sprintf("the schema of the method needs more than %d checks for this request: send it unchecked", maxEffort)}}}
	}
	switch err := s.Validate(v).(type) {
	case nil:
		return nil
	case *jsonschema.ValidationError:
		out := &InvalidError{Queue: queue}
		out.collect(err, message.NewPrinter(language.English))
		// The library goes through the members of an object in any order.
		slices.SortStableFunc(out.Problems, func(a, b Problem) int {
			return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Text, b.Text))
		})
		return out
	default:
		return &InvalidError{Queue: queue, Problems: []Problem{{Text: err.Error()}}}
	}
}

// collect adds the innermost causes of err.
func (e *InvalidError) collect(err *jsonschema.ValidationError, p *message.Printer) {
	if len(e.Problems) >= maxProblems {
		return
	}
	if len(err.Causes) == 0 {
		e.Problems = append(e.Problems, Problem{Path: pointer(err.InstanceLocation), Text: problemText(err.ErrorKind, p)})
		return
	}
	for _, cause := range err.Causes {
		e.collect(cause, p)
	}
}

// problemText returns what is wrong. The library rounds numbers, so that a number beyond a limit can
// look like the limit. This function writes the digits of numbers.
func problemText(k jsonschema.ErrorKind, p *message.Printer) string {
	switch k := k.(type) {
	case *kind.Minimum:
		return fmt.Sprintf("got %s, want at least %s", number(k.Got), number(k.Want))
	case *kind.Maximum:
		return fmt.Sprintf("got %s, want at most %s", number(k.Got), number(k.Want))
	case *kind.ExclusiveMinimum:
		return fmt.Sprintf("got %s, want more than %s", number(k.Got), number(k.Want))
	case *kind.ExclusiveMaximum:
		return fmt.Sprintf("got %s, want less than %s", number(k.Got), number(k.Want))
	case *kind.MultipleOf:
		return fmt.Sprintf("got %s, want a multiple of %s", number(k.Got), number(k.Want))
	}
	return k.LocalizedString(p)
}

// maxDigits is how many digits of a number are shown. A 64-bit integer has 20 at most.
const maxDigits = 30

func number(r *big.Rat) string {
	if r.IsInt() && r.Num().BitLen() <= 64 {
		return r.Num().String()
	}
	return new(big.Float).SetPrec(128).SetRat(r).Text('g', maxDigits)
}

func pointer(tokens []string) string {
	var b strings.Builder
	for _, t := range tokens {
		b.WriteByte('/')
		b.WriteString(strings.NewReplacer("~", "~0", "/", "~1").Replace(t))
	}
	return b.String()
}
