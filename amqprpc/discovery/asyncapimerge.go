package discovery

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/bbebcec1/amqprpc-go/amqprpc/describe"
)

// method is the method of a queue, as its newest server describes it.
type method struct {
	describe.Method
	service string
	others  []difference
}

// difference says how the descriptions of other servers of a queue differ.
type difference struct {
	Service   string   `json:"service"`
	Version   string   `json:"version,omitempty"`
	Instances int      `json:"instances"`
	Fields    []string `json:"fields"` // of describe.Method
}

// newestMethods returns one method for each queue, sorted by queue.
func newestMethods(infos []describe.Info) []method {
	type serving struct {
		describe.Info
		method describe.Method
	}
	byQueue := make(map[string][]serving)
	for _, i := range slices.SortedStableFunc(slices.Values(infos), newest) {
		for _, m := range i.Methods {
			byQueue[m.Queue] = append(byQueue[m.Queue], serving{i, m})
		}
	}
	var all []method
	for _, servers := range byQueue {
		first := servers[0]
		m, at := method{Method: first.method, service: first.Name}, make(map[string]int)
		for _, s := range servers[1:] {
			fields := differing(first.method, s.method)
			if len(fields) == 0 {
				continue
			}
			key := strings.Join(append(fields, s.Version, s.Name), "\x00")
			if i, known := at[key]; known {
				m.others[i].Instances++
				continue
			}
			at[key] = len(m.others)
			m.others = append(m.others, difference{s.Name, s.Version, 1, fields})
		}
		all = append(all, m)
	}
	slices.SortFunc(all, func(a, b method) int { return cmp.Compare(a.Queue, b.Queue) })
	return all
}

// differing returns the fields of two descriptions that are part of the contract with callers
// and differ.
func differing(a, b describe.Method) (fields []string) {
	for _, f := range []struct {
		name string
		same bool
	}{
		{"kind", a.Kind == b.Kind},
		{"doc", a.Doc == b.Doc},
		{"request", sameMessage(a.Request, b.Request)},
		{"response", sameMessage(a.Response, b.Response)},
		{"errors", slices.EqualFunc(a.Errors, b.Errors, func(a, b describe.Error) bool { return a.Code == b.Code && sameJSON(a.Details, b.Details) })},
		{"codecs", slices.Equal(a.Codecs, b.Codecs)},
		{"delivery", a.Delivery == b.Delivery},
		{"broadcast", a.Broadcast == b.Broadcast},
		{"timeout_ms", a.TimeoutMS == b.TimeoutMS},
	} {
		if !f.same {
			fields = append(fields, f.name)
		}
	}
	return fields
}

// sameMessage ignores the names of Go types, which are for people. Without schemas, they are
// all that is known.
func sameMessage(a, b describe.Message) bool {
	if a.Schema == nil && b.Schema == nil {
		return a.Type == b.Type
	}
	return sameJSON(a.Schema, b.Schema)
}

func sameJSON(a, b json.RawMessage) bool {
	var x, y bytes.Buffer
	if json.Compact(&x, a) != nil || json.Compact(&y, b) != nil {
		return bytes.Equal(a, b)
	}
	return bytes.Equal(x.Bytes(), y.Bytes())
}

// newest compares descriptions: a newer version comes first, and then a later start.
func newest(a, b describe.Info) int {
	return cmp.Or(-compareVersions(a.Version, b.Version), b.Started.Compare(a.Started), cmp.Compare(a.Instance, b.Instance))
}

// compareVersions compares versions such as 1.10.0, v2 and 1.0.0-rc.1 in the order of
// semver.org, and any other texts in some order. No version is before all.
func compareVersions(a, b string) int {
	if a == "" || b == "" {
		return cmp.Compare(len(a), len(b))
	}
	a, _, _ = strings.Cut(strings.TrimPrefix(a, "v"), "+")
	b, _, _ = strings.Cut(strings.TrimPrefix(b, "v"), "+")
	a, preA, isPreA := strings.Cut(a, "-")
	b, preB, isPreB := strings.Cut(b, "-")
	if c := compareParts(a, b); c != 0 || isPreA != isPreB {
		return cmp.Or(c, map[bool]int{true: -1, false: 1}[isPreA]) // 1.0.0-rc is before 1.0.0
	}
	return compareParts(preA, preB)
}

// compareParts compares texts by their parts between dots. A number is before any other text.
func compareParts(a, b string) int {
	return slices.CompareFunc(strings.Split(a, "."), strings.Split(b, "."), func(x, y string) int {
		m, errM := strconv.ParseUint(x, 10, 64)
		n, errN := strconv.ParseUint(y, 10, 64)
		switch {
		case errM == nil && errN == nil:
			return cmp.Compare(m, n)
		case (errM == nil) != (errN == nil):
			return map[bool]int{true: -1, false: 1}[errM == nil]
		}
		return cmp.Compare(x, y)
	})
}

// differencesText says for people how other servers differ.
func differencesText(others []difference) string {
	if len(others) == 0 {
		return ""
	}
	lines := []string{"Some servers of this queue describe it differently:"}
	for _, o := range others {
		servers := "1 server"
		if o.Instances > 1 {
			servers = fmt.Sprintf("%d servers", o.Instances)
		}
		lines = append(lines, fmt.Sprintf("- %s, %s: %s", strings.TrimSpace(o.Service+" "+o.Version), servers, strings.Join(o.Fields, ", ")))
	}
	return strings.Join(lines, "\n")
}
