package fleet_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc/describe"
	"github.com/bbebcec1/amqprpc-go/cmd/amqprpc/internal/fleet"
)

func info(instance, name, version string, methods ...describe.Method) describe.Info {
	var age int
	fmt.Sscanf(instance, "i%d", &age)
	return describe.Info{
		Identity:    describe.Identity{Instance: instance, Name: name, Version: version, Started: time.Unix(int64(age), 0)},
		Description: "of " + instance,
		Methods:     methods,
	}
}

func method(queue, schema string) describe.Method {
	return describe.Method{Queue: queue, Kind: describe.KindUnary, Request: describe.Message{Type: "T", Schema: json.RawMessage(schema)}}
}

func TestGroups(t *testing.T) {
	t.Parallel()
	f := fleet.Of([]describe.Info{
		info("i3", "shop", "2", method("shop.b", `{"type":"object", "a":1}`), method("shop.a", `{}`)),
		info("i1", "shop", "1", method("shop.b", `{"a":2,"type":"object"}`)),
		info("i2", "shop", "1", method("shop.b", `{"a":1,"type":"object"}`)),
		info("i4", "bank", "", method("bank.a", `{}`)),
	})
	require.Len(t, f.Services, 2)
	require.Equal(t, "bank", f.Services[0].Name)
	shop := f.Services[1]
	require.Equal(t, []string{"1", "2"}, shop.Versions)
	require.Equal(t, "of i3", shop.Description)
	require.Equal(t, "i1", shop.Instances[0].Instance)
	require.Equal(t, "shop.a", shop.Methods[0].Queue)
	b, ok := f.Method("shop.b")
	require.True(t, ok)
	require.Equal(t, 3, b.Instances())
	require.Len(t, b.Variants[0].Instances, 2, "i2 and i3 differ only in white space and order")
	_, ok = f.Method("shop.c")
	require.False(t, ok)
	require.Equal(t, []fleet.Difference{{Queues: []string{"shop.b"}, What: []string{"version", "request schema"}, Groups: []fleet.Group{
		{Service: "shop", Version: "1", Variant: 1, Instances: []string{"i2"}},
		{Service: "shop", Version: "2", Variant: 1, Instances: []string{"i3"}},
		{Service: "shop", Version: "1", Variant: 2, Instances: []string{"i1"}},
	}}}, f.Differences)
}

func TestEachPartCounts(t *testing.T) {
	t.Parallel()
	base := method("q", `{}`)
	require.Empty(t, fleet.Of([]describe.Info{info("i1", "s", "1", base), info("i2", "s", "1", base)}).Differences)
	for what, change := range map[string]func(*describe.Method){
		"kind":            func(m *describe.Method) { m.Kind = describe.KindBidiStream },
		"request schema":  func(m *describe.Method) { m.Request.Schema = json.RawMessage(`[`) },
		"response schema": func(m *describe.Method) { m.Response.Schema = json.RawMessage(`{"a":1}`) },
		"request type":    func(m *describe.Method) { m.Request.Type = "U" },
		"response type":   func(m *describe.Method) { m.Response.Type = "U" },
		"errors":          func(m *describe.Method) { m.Errors = []describe.Error{{Code: "not_found"}} },
		"codecs":          func(m *describe.Method) { m.Codecs = []string{"application/json"} },
		"delivery":        func(m *describe.Method) { m.Delivery = describe.AtMostOnce },
		"broadcast":       func(m *describe.Method) { m.Broadcast = true },
	} {
		other := base
		change(&other)
		d := fleet.Of([]describe.Info{info("i1", "s", "1", base), info("i2", "s", "1", other)}).Differences
		require.Len(t, d, 1, what)
		require.Equal(t, []string{what}, d[0].What)
	}
	for what, change := range map[string]func(*describe.Method){
		"doc":      func(m *describe.Method) { m.Doc = "x" },
		"example":  func(m *describe.Method) { m.Request.Example = json.RawMessage(`1`) },
		"prefetch": func(m *describe.Method) { m.Prefetch = 7 },
	} {
		other := base
		change(&other)
		require.Empty(t, fleet.Of([]describe.Info{info("i1", "s", "1", base), info("i2", "s", "1", other)}).Differences, what)
	}
}

// Ten thousand instances of one method are grouped.
func TestManyInstances(t *testing.T) {
	t.Parallel()
	var infos []describe.Info
	for i := range 10_000 {
		infos = append(infos, info(fmt.Sprintf("i%d", i), "s", fmt.Sprint(i), method("q", `{}`), method("q", `{}`)))
	}
	f := fleet.Of(infos)
	require.Len(t, f.Differences[0].Groups, 10_000)
	require.Equal(t, 10_000, f.Methods[0].Instances())
	require.Empty(t, fleet.Of(nil).Services)
}
