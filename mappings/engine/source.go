package engine

import (
	"slices"
	"strconv"
	"strings"

	"stafett/mappings/language"
	"stafett/message"
)

// srcNode is one node of the source message with its fate so far. All nodes of a message
// stand in one slice, in document order, so that the account needs no map.
type srcNode struct {
	n      *message.Node
	parent int32
	next   int32 // next sibling, -1 for none
	first  int32 // first child, -1 for none
	rep    int32 // 1-based among siblings of its name; 0 where it is the only one

	depth          uint8 // 0 for the root, maxDepth for all deeper ones
	claimed        bool
	fate           message.Fate
	reason, target string
}

// sourceTree is the message being translated.
type sourceTree struct {
	*notation
	msg   *message.Message
	nodes []srcNode
}

func newSourceTree(m *message.Message, how *notation) *sourceTree {
	t := &sourceTree{notation: how, msg: m, nodes: make([]srcNode, 0, 192)}
	t.add(m.Root, -1, 0)
	return t
}

func (t *sourceTree) add(n *message.Node, parent int32, depth uint8) int32 {
	id := int32(len(t.nodes))
	t.nodes = append(t.nodes, srcNode{n: n, parent: parent, next: -1, first: -1, depth: depth})
	last := int32(-1)
	for _, c := range n.Children {
		if c == nil {
			continue
		}
		k := t.add(c, id, min(depth+1, maxDepth))
		if last < 0 {
			t.nodes[id].first = k
		} else {
			t.nodes[last].next = k
		}
		last = k
	}
	t.number(id)
	return id
}

// number gives repeated siblings their numbers.
func (t *sourceTree) number(parent int32) {
	if len(t.nodes[parent].n.Children) > few {
		t.numberMany(parent)
		return
	}
	for a := t.nodes[parent].first; a >= 0; a = t.nodes[a].next {
		if t.nodes[a].rep == 0 {
			t.numberFrom(a)
		}
	}
}

// few is how many children are compared with each other rather than counted in a map.
const few = 16

// numberFrom numbers the siblings after a that have its name, and then a itself.
func (t *sourceTree) numberFrom(a int32) {
	count := int32(1)
	for b := t.nodes[a].next; b >= 0; b = t.nodes[b].next {
		if t.nodes[b].n.Name == t.nodes[a].n.Name {
			count++
			t.nodes[a].rep, t.nodes[b].rep = 1, count
		}
	}
}

func (t *sourceTree) numberMany(parent int32) {
	last := map[string]int32{}
	for k := t.nodes[parent].first; k >= 0; k = t.nodes[k].next {
		name := t.nodes[k].n.Name
		if before, again := last[name]; again {
			t.nodes[before].rep = max(t.nodes[before].rep, 1)
			t.nodes[k].rep = t.nodes[before].rep + 1
		}
		last[name] = k
	}
}

// isLeaf reports whether a node has a fate of its own: it has a value, or nothing below it.
func (t *sourceTree) isLeaf(id int32) bool {
	return t.nodes[id].first < 0 || t.nodes[id].n.Value != ""
}

// find calls yield with each node at steps below base that meets the conditions, in
// order, until it returns false. chain receives the node of each step.
func (t *sourceTree) find(base int32, steps []language.MsgStep, chain []int32, yield func(id int32) bool) bool {
	if len(steps) == 0 {
		return yield(base)
	}
	s := &steps[0]
	for k := t.start(base, s); k >= 0; k = t.after(base, k, s) {
		chain[0] = k
		if !t.find(k, steps[1:], chain[1:], yield) {
			return false
		}
	}
	return true
}

// first is find for the one node that a line needs, without a call back; free leaves out
// nodes that a group has taken. It returns -1 where there is none.
func (t *sourceTree) first(base int32, steps []language.MsgStep, chain []int32, free bool) int32 {
	if len(steps) == 0 {
		return t.where(!free || !t.nodes[base].claimed, base)
	}
	s := &steps[0]
	for k := t.start(base, s); k >= 0; k = t.after(base, k, s) {
		chain[0] = k
		if id := t.first(k, steps[1:], chain[1:], free); id >= 0 {
			return id
		}
	}
	return -1
}

// where is id, or -1 where something does not hold of it.
func (t *sourceTree) where(holds bool, id int32) int32 {
	if holds {
		return id
	}
	return -1
}

// start returns the first node that a step means below base, which may be base itself; -1
// for none.
func (t *sourceTree) start(base int32, s *language.MsgStep) int32 {
	first := t.nodes[base].first
	if s.Self || first < 0 && t.isFirstPart(base, s) {
		return t.where(t.meets(base, s), base)
	}
	k := t.next(first, s)
	for n := 1; n < s.Nth && k >= 0; n++ {
		k = t.next(t.nodes[k].next, s)
	}
	return k
}

// after returns the next repetition that a step means below base, -1 for none.
func (t *sourceTree) after(base, k int32, s *language.MsgStep) int32 {
	if k == base || s.Nth > 0 {
		return -1
	}
	return t.next(t.nodes[k].next, s)
}

// next returns k or the sibling after it that has the step's name and meets its conditions.
func (t *sourceTree) next(k int32, s *language.MsgStep) int32 {
	for ; k >= 0; k = t.nodes[k].next {
		if isNamed(t.nodes[k].n, s.Name, s.Space) && (s.Filters == nil || t.meets(k, s)) {
			return k
		}
	}
	return -1
}

// isNamed reports whether a node has a name; in ER7 there are no namespaces.
func isNamed(n *message.Node, name, space string) bool { return n.Name == name && n.Space == space }

// isFirstPart reports whether a step means the node itself, which is not split.
func (t *sourceTree) isFirstPart(id int32, s *language.MsgStep) bool {
	return s.Name == t.firstPart && s.Nth <= 1 && t.nodes[id].parent > 0
}

func (t *sourceTree) meets(id int32, s *language.MsgStep) bool {
	for i := range s.Filters {
		if !t.holds(id, &s.Filters[i]) {
			return false
		}
	}
	return true
}

func (t *sourceTree) holds(id int32, f *language.MsgFilter) bool {
	if f.Is == nil {
		return t.has(t.leafAt(id, f.Path), f.Value)
	}
	n := &t.nodes[id]
	return n.parent >= 0 && f.Is(t.nodes[n.parent].n, n.n)
}

// has reports whether a leaf is there and has a value.
func (t *sourceTree) has(leaf int32, value string) bool {
	return leaf >= 0 && t.nodes[leaf].n.Value == value
}

// leafAt returns the value at plain steps below base, or -1.
func (t *sourceTree) leafAt(base int32, steps []language.MsgStep) int32 {
	var buf [8]int32
	if len(steps) > len(buf) {
		return -1
	}
	return t.value(t.first(base, steps, buf[:], false))
}

// value returns the leaf that holds a place's value: the first part of one that has more
// of them than the mapping knows; -1 for -1.
func (t *sourceTree) value(id int32) int32 {
	for id >= 0 && !t.isLeaf(id) {
		k := t.nodes[id].first
		if t.nodes[k].n.Name != t.firstPart {
			break
		}
		id = k
	}
	return id
}

// partsOf lists the leaves of the named parts that are there: the node itself, which is not
// split, for its first.
func (t *sourceTree) partsOf(id int32, names []string) []int32 {
	if t.nodes[id].first < 0 {
		return []int32{id}
	}
	var out []int32
	for k := t.nodes[id].first; k >= 0; k = t.nodes[k].next {
		if leaf := t.value(k); slices.Contains(names, t.nodes[k].n.Name) && t.isLeaf(leaf) {
			out = append(out, leaf)
		}
	}
	return out
}

// path spells a node as integrators know it: PID-3[2].1 or MsgHead/MsgInfo/Type/@V.
func (t *sourceTree) path(id int32) string {
	return string(t.appendPath(make([]byte, 0, 64), id, verbatimName))
}

func verbatimName(name string) string { return name }

// shownName is a name that its format has, else "?".
func shownName(name string) string {
	if language.IsName(name) {
		return name
	}
	return "?"
}

func (t *sourceTree) appendPath(b []byte, id int32, as func(name string) string) []byte {
	n := &t.nodes[id]
	switch {
	case n.parent >= 0:
		b = append(t.appendPath(b, n.parent, as), t.marks[n.depth]...)
	case t.root != "":
		return b
	}
	b = append(b, as(n.n.Name)...)
	if n.rep > 0 {
		b = append(strconv.AppendInt(append(b, '['), int64(n.rep), 10), ']')
	}
	return b
}

// valueOf is a leaf's value, or with subtree an element's text, without layout around it.
func (t *sourceTree) valueOf(leaf int32, subtree bool) string {
	if subtree {
		return t.trimmed(language.TextOf(t.nodes[leaf].n))
	}
	return t.trimmed(t.nodes[leaf].n.Value)
}

// nearest returns the element that is there and whose path goes furthest along path.
func (t *sourceTree) nearest(path string) *message.Node {
	best, node := 0, &message.Node{}
	for i := range t.nodes {
		if own := t.path(int32(i)); len(own) > best && strings.HasPrefix(path, own) {
			best, node = len(own), t.nodes[i].n
		}
	}
	return node
}
