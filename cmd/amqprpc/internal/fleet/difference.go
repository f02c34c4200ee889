package fleet

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/bbebcec1/amqprpc-go/amqprpc/describe"
)

// Difference says that the servers of one queue do not agree. Queues on which the same servers
// differ in the same way share one.
type Difference struct {
	Queues []string `json:"queues"` // sorted
	What   []string `json:"what"`   // "version", "request schema", …
	Groups []Group  `json:"groups"`
}

// Group is the instances that agree.
type Group struct {
	Service   string   `json:"service"`
	Version   string   `json:"version"`
	Variant   int      `json:"variant"` // equal numbers describe the method equally
	Instances []string `json:"instances"`
}

// part is a part of a method that its callers depend on.
type part struct {
	name string
	of   func(canon, describe.Method) string
}

var parts = []part{
	{"kind", func(c canon, m describe.Method) string { return m.Kind }},
	{"request schema", func(c canon, m describe.Method) string { return c.of(m.Request.Schema) }},
	{"response schema", func(c canon, m describe.Method) string { return c.of(m.Response.Schema) }},
	{"request type", func(c canon, m describe.Method) string { return m.Request.Type }},
	{"response type", func(c canon, m describe.Method) string { return m.Response.Type }},
	{"errors", func(c canon, m describe.Method) string {
		text, _ := json.Marshal(m.Errors) // no error: RawMessage was decoded from JSON
		return c.of(text)
	}},
	{"codecs", func(c canon, m describe.Method) string { return strings.Join(m.Codecs, "\x00") }},
	{"delivery", func(c canon, m describe.Method) string { return m.Delivery }},
	{"broadcast", func(c canon, m describe.Method) string {
		if m.Broadcast {
			return "yes"
		}
		return ""
	}},
}

// differenceOf compares the variants of a method, and the versions of its instances.
func (c canon) differenceOf(m Method) (d Difference, differ bool) {
	type key struct {
		service, version string
		variant          int
	}
	groups := make(map[key]*Group)
	versions := make(map[[2]string]bool)
	for i, v := range m.Variants {
		for _, id := range v.Instances {
			k := key{id.Name, id.Version, i}
			if groups[k] == nil {
				groups[k] = &Group{Service: id.Name, Version: id.Version, Variant: i + 1}
			}
			groups[k].Instances = append(groups[k].Instances, id.Instance)
			versions[[2]string{id.Name, id.Version}] = true
		}
	}
	if len(groups) < 2 {
		return Difference{}, false
	}
	d.Queues = []string{m.Queue}
	if len(versions) > 1 {
		d.What = append(d.What, "version")
	}
	for _, p := range parts {
		if slices.ContainsFunc(m.Variants[1:], func(v Variant) bool { return p.of(c, v.Method) != p.of(c, m.Variants[0].Method) }) {
			d.What = append(d.What, p.name)
		}
	}
	for _, g := range slices.SortedFunc(maps.Values(groups), func(a, b *Group) int {
		if a.Variant != b.Variant {
			return a.Variant - b.Variant
		}
		return strings.Compare(a.Service+"\x00"+a.Version, b.Service+"\x00"+b.Version)
	}) {
		d.Groups = append(d.Groups, *g)
	}
	return d, true
}

// differencesOf returns the differences of all methods, with equal ones joined.
func (c canon) differencesOf(methods []Method) []Difference {
	var all []Difference
	at := make(map[string]int)
	for _, m := range methods {
		d, differ := c.differenceOf(m)
		if !differ {
			continue
		}
		key := fmt.Sprintf("%q %v", d.What, d.Groups)
		if i, ok := at[key]; ok {
			all[i].Queues = append(all[i].Queues, m.Queue)
			continue
		}
		at[key] = len(all)
		all = append(all, d)
	}
	return all
}
