package amqptest

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A direct reply-to address is the base64 of an Erlang process identifier in its external
// format, a dot, and a key of 16 random bytes in base64. The process's node is one made up,
// named after a hash of the broker's
// (https://www.erlang.org/doc/apps/erts/erl_ext_dist.html). What RabbitMQ makes of an address
// that is not its own depends on the release and on where it fails to read it.

// addressFate is what becomes of a message to an address.
type addressFate uint8

const (
	knownAddress   addressFate = iota // of this node: its consumer, or nobody, gets the message
	noAddress                         // not one: the message is unroutable
	fatalAddress                      // whoever uses it loses the connection
	deadEndAddress                    // whoever publishes to it does
)

// replyAddress makes the address of a new consumer.
func (b *Broker) replyAddress() string {
	b.serial++
	pid := process{node: b.replyNode(), number: uint32(b.serial) & maxProcess,
		serial: uint32(b.serial>>15) & maxSerial, creation: b.creation}
	var key [16]byte
	_, _ = rand.Read(key[:]) // never fails
	return pid.address(base64.StdEncoding.EncodeToString(key[:]))
}

func (b *Broker) replyNode() string { return replyNode + b.nodeHash }

// resolve finds the consumer of an address; nil if there is none, and why.
func (b *Broker) resolve(address string) (*replyConsumer, addressFate) {
	if r := b.replies[address]; r != nil {
		return r, knownAddress
	}
	rest, ok := strings.CutPrefix(address, replyToPrefix)
	if !ok {
		return nil, noAddress
	}
	switch {
	case b.since(RabbitMQ43):
		return nil, b.fate43(rest)
	case b.since(RabbitMQ40):
		return b.resolve40(rest)
	}
	parts := strings.FieldsFunc(rest, func(r rune) bool { return r == '.' })
	if len(parts) != 2 {
		return nil, noAddress
	}
	pid, ok := decodeProcess(parts[0])
	if !ok || !b.isOwn(pid) || pid.creation == b.creation && (pid.number > maxProcess || pid.serial > maxSerial) {
		return nil, fatalAddress
	}
	return b.replyConsumer(pid, parts[1]), knownAddress
}

// resolve40 reads an address as RabbitMQ 4.0 does: in the form of today, and if it is not
// that, in an older one, in which any process will do.
func (b *Broker) resolve40(rest string) (*replyConsumer, addressFate) {
	first, key, _ := strings.Cut(rest, ".")
	if pid, ok := decodeProcess(first); ok && b.isOwn(pid) {
		return b.replyConsumer(pid, key), knownAddress
	}
	parts := strings.FieldsFunc(rest, func(r rune) bool { return r == '.' })
	if len(parts) != 2 {
		return nil, noAddress
	}
	term, err := base64.StdEncoding.DecodeString(parts[0])
	switch {
	case err != nil || len(term) < 2 || term[0] != externalFormat:
		return nil, fatalAddress
	case isAtom(term[1:]):
		return nil, deadEndAddress
	case isProcess(term[1:]):
		return nil, noAddress
	}
	return nil, fatalAddress
}

// fate43 says for RabbitMQ 4.3, which finds consumers by the whole address, whether it
// belongs to this node.
func (b *Broker) fate43(rest string) addressFate {
	const maxNumber = 1<<28 - 1
	first, _, ok := strings.Cut(rest, ".")
	pid, isPid := decodeProcess(first)
	if !ok || !isPid || pid.old || !b.isOwn(pid) || pid.creation == b.creation && pid.number > maxNumber {
		return noAddress
	}
	return knownAddress
}

// isOwn reports whether a process is of this broker's node, of whatever life: the name's
// second half decides.
func (b *Broker) isOwn(p process) bool {
	_, hash, ok := strings.Cut(p.node, "@")
	n, err := strconv.ParseUint(hash, 10, 64)
	return ok && err == nil && strconv.FormatUint(n, 10) == b.nodeHash
}

// replyConsumer is the consumer of a process and a key, nil for none.
func (b *Broker) replyConsumer(p process, key string) *replyConsumer {
	p.node = b.replyNode()
	return b.replies[p.address(key)]
}

// process is an Erlang process identifier.
type process struct {
	node                     string
	number, serial, creation uint32
	old                      bool // in the format that has an byte for the creation
}

// The greatest numbers that a process of RabbitMQ 3.10's Erlang has.
const maxProcess, maxSerial = 1<<15 - 1, 1<<13 - 1

// Tags of Erlang's external format.
const (
	externalFormat = 131
	tagNewPid      = 88
	tagPid         = 103
	tagLatinAtom   = 100 // in Latin-1, with a length of two bytes
	tagSmallLatin  = 115 // … of one
	tagAtom        = 118 // in UTF-8, likewise
	tagSmallAtom   = 119
)

// address is the address of a process and a key.
func (p process) address(key string) string {
	be := binary.BigEndian
	pid := append(make([]byte, 0, 48), externalFormat, tagNewPid, tagAtom)
	pid = append(be.AppendUint16(pid, uint16(len(p.node))), p.node...)
	pid = be.AppendUint32(be.AppendUint32(be.AppendUint32(pid, p.number), p.serial), p.creation)
	return replyToPrefix + base64.StdEncoding.EncodeToString(pid) + "." + key
}

// decodeProcess reads a process identifier and nothing else.
func decodeProcess(s string) (p process, ok bool) {
	pid, err := base64.StdEncoding.DecodeString(s)
	if err != nil || len(pid) < 2 || pid[0] != externalFormat {
		return p, false
	}
	tag, pid := pid[1], pid[2:]
	name, pid, ok := cutAtom(pid)
	fixed := 12
	if p.old = tag == tagPid; p.old {
		fixed = 9
	}
	if !ok || !p.old && tag != tagNewPid || len(pid) != fixed {
		return p, false
	}
	p.node = string(name)
	p.number, p.serial = binary.BigEndian.Uint32(pid), binary.BigEndian.Uint32(pid[4:])
	if !p.old {
		p.creation = binary.BigEndian.Uint32(pid[8:])
	}
	return p, true
}

// cutAtom takes a UTF-8 atom off the front of b.
func cutAtom(b []byte) (name, rest []byte, ok bool) {
	if len(b) == 0 || b[0] != tagAtom && b[0] != tagSmallAtom {
		return nil, b, false
	}
	return cutAnyAtom(b)
}

// cutAnyAtom takes an atom of either encoding off the front of b.
func cutAnyAtom(b []byte) (name, rest []byte, ok bool) {
	if len(b) < 3 {
		return nil, b, false
	}
	tag, n, rest := b[0], int(b[1]), b[2:]
	switch tag {
	case tagAtom, tagLatinAtom:
		n, rest = n<<8|int(b[2]), b[3:]
	case tagSmallAtom, tagSmallLatin:
	default:
		return nil, b, false
	}
	if n > len(rest) {
		return nil, b, false
	}
	name, rest = rest[:n], rest[n:]
	ok = tag == tagLatinAtom || tag == tagSmallLatin || utf8.Valid(name)
	return name, rest, ok
}

func isAtom(term []byte) bool {
	_, _, ok := cutAnyAtom(term)
	return ok
}

// isProcess reports whether a process identifier begins term, whatever follows it.
func isProcess(term []byte) bool {
	if !bytes.HasPrefix(term, []byte{tagNewPid}) && !bytes.HasPrefix(term, []byte{tagPid}) {
		return false
	}
	_, rest, ok := cutAnyAtom(term[1:])
	fixed := 12
	if term[0] == tagPid {
		fixed = 9
	}
	return ok && len(rest) >= fixed
}
