// Package fleet groups what servers say about themselves: by service and by method, with the
// differences between the servers of one queue.
package fleet

import (
	"bytes"
	"cmp"
	"encoding/json"
	"maps"
	"slices"

	"github.com/bbebcec1/amqprpc-go/amqprpc/describe"
)

// Fleet is all servers of a broker, or of one service.
type Fleet struct {
	Services    []Service    // sorted by name
	Methods     []Method     // of all services, sorted by queue
	Differences []Difference // sorted by their first queue
}

// Service is all servers with one name.
type Service struct {
	Name        string
	Description string          // of the server that was started last
	Versions    []string        // sorted
	Instances   []describe.Info // the earliest first
	Methods     []Method        // sorted by queue
}

// Method is what all servers of a queue say about it.
type Method struct {
	Queue    string
	Variants []Variant // the one with the most instances first
}

// Variant is a description of a method that some instances share.
type Variant struct {
	Method    describe.Method // as the instance says that was started last
	Instances []describe.Identity
}

// Best returns the description to use: that of the most instances.
func (m Method) Best() describe.Method { return m.Variants[0].Method }

// Instances returns how many instances serve the queue.
func (m Method) Instances() (n int) {
	for _, v := range m.Variants {
		n += len(v.Instances)
	}
	return n
}

// Of groups infos. It is in proportion to their size.
func Of(infos []describe.Info) Fleet {
	infos = slices.Clone(infos)
	slices.SortFunc(infos, func(a, b describe.Info) int {
		return cmp.Or(a.Started.Compare(b.Started), cmp.Compare(a.Instance, b.Instance))
	})
	byName := make(map[string][]describe.Info)
	for _, info := range infos {
		byName[info.Name] = append(byName[info.Name], info)
	}
	var f Fleet
	c := make(canon)
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		f.Services = append(f.Services, c.serviceOf(name, byName[name]))
	}
	f.Methods = c.methodsOf(infos)
	f.Differences = c.differencesOf(f.Methods)
	return f
}

// Method returns the method of a queue.
func (f Fleet) Method(queue string) (Method, bool) {
	i, ok := slices.BinarySearchFunc(f.Methods, queue, func(m Method, q string) int { return cmp.Compare(m.Queue, q) })
	if !ok {
		return Method{}, false
	}
	return f.Methods[i], true
}

func (c canon) serviceOf(name string, infos []describe.Info) Service {
	s := Service{Name: name, Instances: infos, Methods: c.methodsOf(infos), Description: infos[len(infos)-1].Description}
	versions := make(map[string]bool)
	for _, info := range infos {
		versions[info.Version] = true
	}
	s.Versions = slices.Sorted(maps.Keys(versions))
	return s
}

func (c canon) methodsOf(infos []describe.Info) []Method {
	type key struct{ queue, print string }
	found := make(map[key]*Variant)
	byQueue := make(map[string][]*Variant)
	for _, info := range infos {
		for _, m := range info.Methods {
			k := key{m.Queue, c.fingerprint(m)}
			v := found[k]
			if v == nil {
				v = &Variant{}
				found[k] = v
				byQueue[m.Queue] = append(byQueue[m.Queue], v)
			}
			if n := len(v.Instances); n > 0 && v.Instances[n-1].Instance == info.Instance {
				continue // a server that names a queue twice
			}
			v.Method = m
			v.Instances = append(v.Instances, info.Identity)
		}
	}
	methods := make([]Method, 0, len(byQueue))
	for _, queue := range slices.Sorted(maps.Keys(byQueue)) {
		variants := byQueue[queue]
		slices.SortStableFunc(variants, func(a, b *Variant) int { return cmp.Compare(len(b.Instances), len(a.Instances)) })
		m := Method{Queue: queue}
		for _, v := range variants {
			m.Variants = append(m.Variants, *v)
		}
		methods = append(methods, m)
	}
	return methods
}

// fingerprint is equal for methods that callers need not tell apart.
func (c canon) fingerprint(m describe.Method) string {
	var b bytes.Buffer
	for _, p := range parts {
		b.WriteString(p.of(c, m))
		b.WriteByte(0)
	}
	return b.String()
}

// canon remembers the canonical form of each JSON text: most instances send the same ones.
type canon map[string]string

// of returns JSON without white space and with sorted keys. What is not JSON stays as it is.
func (c canon) of(text json.RawMessage) string {
	if known, ok := c[string(text)]; ok {
		return known
	}
	out := string(text)
	var v any
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if d.Decode(&v) == nil {
		if sorted, err := json.Marshal(v); err == nil {
			out = string(sorted)
		}
	}
	c[string(text)] = out
	return out
}
