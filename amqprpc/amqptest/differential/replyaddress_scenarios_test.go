package differential

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strings"
)

// replyAddressScenarios publish to direct reply-to addresses that are not the broker's, by
// changing one that is. An address is the base64 of an Erlang process identifier in its
// external format, which has the node's name, two numbers and the node's start, then a dot
// and a key (https://www.erlang.org/doc/apps/erts/erl_ext_dist.html#new_pid_ext).
func replyAddressScenarios() group {
	variants := []struct {
		name string
		make func(pid []byte, key string) string
	}{
		{"as-it-is", plainAddress},
		{"another-key", func(pid []byte, _ string) string { return plainAddress(pid, "AAAAAAAAAAAAAAAAAAAAAA==") }},
		{"key-not-base64", func(pid []byte, _ string) string { return plainAddress(pid, "!?") }},
		{"no-key", func(pid []byte, _ string) string { return base64.StdEncoding.EncodeToString(pid) }},
		{"empty-key", func(pid []byte, _ string) string { return plainAddress(pid, "") }},
		{"three-parts", func(pid []byte, key string) string { return plainAddress(pid, key) + ".x" }},
		{"empty-part-between", func(pid []byte, key string) string { return strings.Replace(plainAddress(pid, key), ".", "..", 1) }},
		{"no-parts", func([]byte, string) string { return "" }},
		{"dots-alone", func([]byte, string) string { return "..." }},
		{"nonsense", func([]byte, string) string { return "nonsense" }},
		{"nonsense-in-two-parts", func([]byte, string) string { return "non.sense" }},
		{"not-ascii", func([]byte, string) string { return "\xff\xfe.x" }},
		{"base64-of-nothing", func(_ []byte, key string) string { return "." + key }},
		{"base64-cut", func(pid []byte, key string) string { return plainAddress(pid, key)[1:] }},
		{"pid-cut", func(pid []byte, key string) string { return plainAddress(pid[:len(pid)-1], key) }},
		{"pid-and-more", func(pid []byte, key string) string { return plainAddress(append(clone(pid), 0), key) }},
		{"not-external-format", func(pid []byte, key string) string { return plainAddress(append([]byte{130}, pid[1:]...), key) }},
		{"an-atom", func(_ []byte, key string) string { return plainAddress([]byte{131, 119, 1, 'a'}, key) }},
		{"an-integer", func(_ []byte, key string) string { return plainAddress([]byte{131, 97, 7}, key) }},
		{"a-reference", func(pid []byte, key string) string { return plainAddress(append([]byte{131, 90}, pid[2:]...), key) }},
		{"node-unknown-hash", func(pid []byte, key string) string { return plainAddress(withNode(pid, "reply@123"), key) }},
		{"node-hash-not-a-number", func(pid []byte, key string) string { return plainAddress(withNode(pid, "reply@host"), key) }},
		{"node-another-name", func(pid []byte, key string) string {
			return plainAddress(withNode(pid, "other"+nodeOf(pid)[5:]), key)
		}},
		{"node-without-at", func(pid []byte, key string) string { return plainAddress(withNode(pid, "reply"), key) }},
		{"node-empty", func(pid []byte, key string) string { return plainAddress(withNode(pid, ""), key) }},
		{"node-not-utf-8", func(pid []byte, key string) string { return plainAddress(withNode(pid, "reply@\xff"), key) }},
		{"node-latin-1", func(pid []byte, key string) string { return plainAddress(withNode(pid, "r\xe9ply@1"), key) }},
		{"node-as-latin-atom", inAtom(latinAtom)},
		{"node-as-small-latin-atom", inAtom(smallLatinAtom)},
		{"node-as-atom", inAtom(atom)},
		{"node-as-small-atom", inAtom(smallAtom)},
		{"node-longest", func(pid []byte, key string) string {
			return plainAddress(withNode(pid, "reply@"+strings.Repeat("1", 60)), key)
		}},
		{"old-pid", func(pid []byte, key string) string {
			old := append([]byte{131, 103}, pid[2:len(pid)-4]...)
			return plainAddress(append(old, 1), key)
		}},
		{"process-15-bits", numbered(1<<15-1, 1<<13-1)},
		{"process-16-bits", numbered(1<<15, 0)},
		{"process-20-bits", numbered(1<<20-1, 0)},
		{"process-28-bits", numbered(1<<28-1, 0)},
		{"process-29-bits", numbered(1<<28, 0)},
		{"process-highest", numbered(1<<32-1, 0)},
		{"process-serial", numbered(1<<15-1, 1)},
		{"process-serial-14-bits", numbered(300, 1<<13)},
		{"process-serial-highest", numbered(300, 1<<32-1)},
		{"process-of-another-life-highest", func(pid []byte, key string) string {
			other := clone(pid)
			other[len(other)-1]++
			return numbered(1<<32-1, 1<<32-1)(other, key)
		}},
		{"node-of-another-life", func(pid []byte, key string) string {
			other := clone(pid)
			other[len(other)-1]++
			return plainAddress(other, key)
		}},
	}
	var scenarios []scenario
	for _, v := range variants {
		for _, use := range []string{"published", "mandatory", "copied", "declared"} {
			scenarios = append(scenarios, scenario{v.name + "-" + use, func(s *S) {
				client, server := s.Dial().Channel(), s.Dial().Channel()
				pid, key := replyAddress(s, client, server)
				address := pseudoQueue + "." + v.make(pid, key)
				server.c.silent = true // what is sent holds what chance decides
				switch use {
				case "published":
					server.Publish("", address, "x")
				case "mandatory":
					server.PublishWith(M{"routing-key": address, "mandatory": true}, "x")
				case "copied":
					server.Publish("", s.N("nobody"), "x", M{"headers": Table{"CC": []any{address}}})
				case "declared":
					server.Send("queue.declare", M{"queue": address, "passive": true})
				}
				server.c.silent = false
				server.answered()
				client.answered()
			}})
		}
	}
	return group{name: "reply-address", scenarios: scenarios}
}

// replyAddress is the process and the key of an address that the broker gave out.
func replyAddress(s *S, client, server *Chan) (pid []byte, key string) {
	q := server.Queue(s.N("requests"))
	client.Consume(pseudoQueue, "replies", M{"no-ack": true})
	client.Publish("", q, "request", M{"reply-to": pseudoQueue})
	s.Settle(q, 1)
	m := server.Get(q)
	if m == nil {
		s.fatal("no request came")
	}
	address, _ := m.props["reply-to"].(string)
	first, key, ok := strings.Cut(strings.TrimPrefix(address, pseudoQueue+"."), ".")
	pid, err := base64.StdEncoding.DecodeString(first)
	if !ok || err != nil || len(pid) < 16 || pid[1] != 88 {
		s.fatal("an address of another form: %q (%v)", address, err)
	}
	return pid, key
}

// inAtom writes the node's name as another kind of atom.
func inAtom(tag byte) func([]byte, string) string {
	return func(pid []byte, key string) string { return plainAddress(withAtom(pid, tag, nodeOf(pid)), key) }
}

func clone(b []byte) []byte { return append([]byte(nil), b...) }

func plainAddress(pid []byte, key string) string {
	return base64.StdEncoding.EncodeToString(pid) + "." + key
}

// Tags of atoms in Erlang's external format: in Latin-1 and in UTF-8, with a length of two
// octets or, the small ones, of one.
const latinAtom, smallLatinAtom, atom, smallAtom = 100, 115, 118, 119

// nodeOf is the name of a process's node.
func nodeOf(pid []byte) string {
	before := 4
	if pid[2] == latinAtom || pid[2] == atom {
		before = 5
	}
	return string(pid[before : len(pid)-12])
}

// withNode puts another node's name into a process.
func withNode(pid []byte, node string) []byte { return withAtom(pid, pid[2], node) }

func withAtom(pid []byte, tag byte, node string) []byte {
	b := []byte{131, 88, tag, byte(len(node))}
	if tag == latinAtom || tag == atom {
		b = []byte{131, 88, tag, 0, byte(len(node))}
	}
	b = append(b, node...)
	return append(b, pid[len(pid)-12:]...)
}

// numbered is the address of another process of the same node.
func numbered(number, serial uint32) func([]byte, string) string {
	return func(pid []byte, key string) string {
		b := clone(pid)
		binary.BigEndian.PutUint32(b[len(b)-12:], number)
		binary.BigEndian.PutUint32(b[len(b)-8:], serial)
		return plainAddress(b, key)
	}
}

// answered writes down what has come before the answer to a question of the script's own, and
// leaves out what chance decides.
func (ch *Chan) answered() {
	if !ch.c.closed {
		ch.c.write(rawFrame(frameMethod, ch.id, encodeMethod(amqp091.byName["channel.flow"], M{"active": true})))
	}
	for {
		m := ch.c.take(ch.id, func(*message) bool { return true })
		if m == nil || m.method.name == "channel.flow-ok" {
			return
		}
		text, _ := m.fields["reply-text"].(string)
		if i := strings.Index(text, pseudoQueue+"."); i >= 0 {
			text = text[:i] + pseudoQueue + ".…"
		}
		ch.c.log(ch.id, "<", fmt.Sprintf("%s %v %s", m.method.name, m.fields["reply-code"], text))
		switch m.method.name {
		case "channel.close":
			ch.closed = true
			ch.c.write(rawFrame(frameMethod, ch.id, encodeMethod(amqp091.byName["channel.close-ok"], nil)))
			return
		case "connection.close":
			ch.c.closed = true
			ch.c.write(rawFrame(frameMethod, 0, encodeMethod(amqp091.byName["connection.close-ok"], nil)))
			ch.c.End()
			return
		}
	}
}
