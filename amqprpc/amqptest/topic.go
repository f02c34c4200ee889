package amqptest

import (
	"bytes"
	"slices"
	"strings"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/frame"
)

// topicTable matches routing keys against patterns of words between dots, in
// which * is one word and # any number, none included. The patterns are a tree
// of words.
type topicTable struct {
	root topicNode
	deep int // bindings with more than one #
}

// topicStep is a node and how much of the key was left there. Two # can share a
// key out in many ways that end in the same step.
type topicStep struct {
	node *topicNode
	left int
}

type topicNode struct {
	next     map[string]*topicNode
	bindings []*binding
}

func (t *topicTable) add(bd *binding) {
	n := &t.root
	for _, word := range words(bd.key) {
		child := n.next[word]
		if child == nil {
			child = &topicNode{}
			if n.next == nil {
				n.next = make(map[string]*topicNode)
			}
			n.next[word] = child
		}
		n = child
	}
	n.bindings = append(n.bindings, bd)
	if isDeep(bd.key) {
		t.deep++
	}
}

func (t *topicTable) remove(bd *binding) {
	t.root.remove(bd, words(bd.key))
	if isDeep(bd.key) {
		t.deep--
	}
}

// words are those of a pattern. An empty one has none, as an empty key has: it
// is not one empty word.
func words(pattern string) []string {
	if pattern == "" {
		return nil
	}
	return strings.Split(pattern, ".")
}

// isDeep reports whether a pattern could be tried in more ways than words.
func isDeep(pattern string) bool { return strings.Count(pattern, "#") > 1 }

// remove takes bd out below n and cuts off branches that end in nothing; it
// reports whether n is one.
func (n *topicNode) remove(bd *binding, words []string) bool {
	if len(words) == 0 {
		n.bindings = slices.DeleteFunc(n.bindings, func(o *binding) bool { return o == bd })
	} else if child := n.next[words[0]]; child != nil && child.remove(bd, words[1:]) {
		delete(n.next, words[0])
	}
	return len(n.bindings) == 0 && len(n.next) == 0
}

func (t *topicTable) match(r *router, key []byte, _ frame.Table) bool {
	r.tried = nil
	if t.deep > 0 {
		r.tried = make(map[topicStep]struct{})
	}
	return t.root.match(r, key, len(key) > 0)
}

// match follows the bindings below n that fit key; more is false when key has
// run out, which differs from one last empty word.
func (n *topicNode) match(r *router, key []byte, more bool) bool {
	found := false
	if hash := n.next["#"]; hash != nil {
		found = hash.matchAny(r, key, more)
	}
	if !more {
		for _, bd := range n.bindings {
			r.follow(bd)
		}
		return found || len(n.bindings) > 0
	}
	word, rest, more := bytes.Cut(key, []byte("."))
	if child := n.next[string(word)]; child != nil && !isWildcard(word) {
		found = child.match(r, rest, more) || found
	}
	if star := n.next["*"]; star != nil {
		found = star.match(r, rest, more) || found
	}
	return found
}

// matchAny lets the # that led to n stand for none, one, two … words of key.
func (n *topicNode) matchAny(r *router, key []byte, more bool) bool {
	found := false
	for {
		if r.firstTime(n, key, more) && n.match(r, key, more) {
			found = true
		}
		if !more {
			return found
		}
		_, key, more = bytes.Cut(key, []byte("."))
	}
}

// firstTime reports whether a # leads to this step for the first time.
func (r *router) firstTime(n *topicNode, key []byte, more bool) bool {
	if r.tried == nil {
		return true
	}
	step := topicStep{n, len(key)}
	if !more {
		step.left = -1
	}
	_, tried := r.tried[step]
	r.tried[step] = struct{}{}
	return !tried
}

// isWildcard reports whether a word of a message's key is spelled as a
// wildcard of a pattern: in a message it is a word, and the wildcards'
// branches are followed anyway.
func isWildcard(word []byte) bool {
	return len(word) == 1 && (word[0] == '*' || word[0] == '#')
}
