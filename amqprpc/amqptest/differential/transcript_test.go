package differential

import (
	"fmt"
	"hash/crc32"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// transcript is what a scenario has seen, one line an event, with everything that chance
// or the machine decides (generated names, the time) replaced by a stand-in.
type transcript struct {
	mu    sync.Mutex
	lines []string
	names map[string]string
	count map[string]int
}

func newTranscript() *transcript {
	return &transcript{names: map[string]string{}, count: map[string]int{}}
}

// generated are the names that a broker makes up. What matches keeps its prefix and gets
// a number by first appearance, so that two equal names stay recognisably equal.
var generated = regexp.MustCompile(`(amq\.gen-|amq\.ctag-|amq\.rabbitmq\.reply-to\.)[A-Za-z0-9_+/=.-]+`)

// nodeNames are the node's, which some error texts contain.
var nodeNames = regexp.MustCompile(`amqprpc-\d+@localhost`)

func (t *transcript) add(format string, args ...any) {
	line := fmt.Sprintf(format, args...)
	t.mu.Lock()
	defer t.mu.Unlock()
	line = generated.ReplaceAllStringFunc(line, func(name string) string {
		stand, ok := t.names[name]
		if !ok {
			prefix := generated.FindStringSubmatch(name)[1]
			t.count[prefix]++
			stand = fmt.Sprintf("%s#%d", prefix, t.count[prefix])
			t.names[name] = stand
		}
		return stand
	})
	t.lines = append(t.lines, nodeNames.ReplaceAllString(line, "NODE"))
}

func (t *transcript) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.Join(t.lines, "\n") + "\n"
}

// describeSent shows the fields that a scenario has set.
func describeSent(m *methodSpec, args M) string {
	var b strings.Builder
	b.WriteString(m.name)
	for _, f := range m.fields {
		if v, ok := args[f.name]; ok && v != false {
			fmt.Fprintf(&b, " %s=%s", f.name, describeValue(v))
		}
	}
	return b.String()
}

// describeReceived shows all fields, but for reserved ones that are as they should be.
func describeReceived(m *message) string {
	var b strings.Builder
	b.WriteString(m.method.name)
	for _, f := range m.method.fields {
		v := m.fields[f.name]
		if strings.HasPrefix(f.name, "reserved-") && (v == "" || v == uint64(0) || v == false) {
			continue
		}
		fmt.Fprintf(&b, " %s=%s", f.name, describeValue(v))
	}
	if m.method.content {
		b.WriteString(describeContent(m.props, m.body))
		if len(m.frames) > 1 {
			fmt.Fprintf(&b, " frames=%v", m.frames)
		}
	}
	return b.String()
}

func describeContent(props M, body []byte) string {
	var parts []string
	for _, f := range propertySpecs {
		if v, ok := props[f.name]; ok {
			parts = append(parts, f.name+"="+describeValue(v))
		}
	}
	const most = 100
	text := strconv.Quote(string(body))
	if len(body) > most {
		text = fmt.Sprintf("<%d bytes, crc32 %08x>", len(body), crc32.ChecksumIEEE(body))
	}
	return fmt.Sprintf(" {%s} %s", strings.Join(parts, " "), text)
}

// describeValue shows the type as well, for within a table it is part of what is
// observable.
func describeValue(v any) string {
	switch v := v.(type) {
	case nil:
		return "void"
	case string:
		return strconv.Quote(v)
	case []byte:
		return "bytes" + strconv.Quote(string(v))
	case bool, uint64, int: // a method's own fields
		return fmt.Sprint(v)
	case time.Time:
		if age := time.Since(v); age.Abs() < time.Hour {
			return "<now>"
		}
		return v.UTC().Format(time.RFC3339)
	case Table:
		parts := make([]string, 0, len(v))
		for _, k := range sortedKeys(v) {
			parts = append(parts, k+"="+describeValue(v[k]))
		}
		return "{" + strings.Join(parts, " ") + "}"
	case []any:
		parts := make([]string, 0, len(v))
		for _, e := range v {
			parts = append(parts, describeValue(e))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	default:
		return fmt.Sprintf("%T(%v)", v, v)
	}
}

// withoutIdentity leaves of connection.start what a client acts upon.
func withoutIdentity(m *message) *message {
	if m.method.name != "connection.start" {
		return m
	}
	props, _ := m.fields["server-properties"].(Table)
	c := *m
	c.fields = M{}
	for k, v := range m.fields {
		c.fields[k] = v
	}
	c.fields["server-properties"] = Table{"capabilities": props["capabilities"]}
	// Their order is the broker's whim.
	mechanisms := strings.Fields(fmt.Sprint(m.fields["mechanisms"]))
	slices.Sort(mechanisms)
	c.fields["mechanisms"] = strings.Join(mechanisms, " ")
	return &c
}
