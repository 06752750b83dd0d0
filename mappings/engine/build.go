package engine

import (
	"math"
	"slices"
	"strconv"

	"stafett/mappings/language"
	"stafett/message"
)

// builder builds the tree of a message.
type builder struct {
	how  *notation
	root *message.Node
	// positions are the places among their siblings that elements had in the message.
	positions map[*message.Node]int
}

func newBuilder(m *language.Program) builder {
	how := notations[m.Notation]
	root := &message.Node{Name: m.Root.Name, Space: m.Root.Space}
	if how.root != "" {
		root.Name = how.root
	}
	return builder{how: how, root: root}
}

// from is what a message place starts from.
func (b *builder) from(p *language.MsgPath, base *message.Node) *message.Node {
	if p.Absolute {
		return b.root
	}
	return base
}

// open finds the node at steps, or makes one that is not yet in the tree. A "self" step
// is the parent itself, which then gets what the conditions ask.
func (b *builder) open(steps []language.MsgStep, parent *message.Node) (node *message.Node, fresh bool) {
	if n := b.find(parent, steps); n != nil {
		return n, false
	}
	return b.apart(steps), true
}

// apart makes the node at steps, not yet in the tree.
func (b *builder) apart(steps []language.MsgStep) *message.Node {
	last := &steps[len(steps)-1]
	if last.Self {
		return &message.Node{Name: "self"}
	}
	return b.newNode(last)
}

// graft puts a node that was made apart into the tree.
func (b *builder) graft(steps []language.MsgStep, parent, node *message.Node) {
	last := &steps[len(steps)-1]
	parent = b.reach(parent, steps[:len(steps)-1])
	if !last.Self {
		b.split(parent)
		parent.Children = append(parent.Children, node)
		return
	}
	b.satisfy(parent, last)
	for _, c := range node.Children {
		merge(parent, c)
	}
}

// merge puts a child below n: into one of its name that has parts as well, else beside.
func merge(n, child *message.Node) {
	i := slices.IndexFunc(n.Children, func(c *message.Node) bool { return isNamed(c, child.Name, child.Space) })
	if i < 0 || isWhole(n.Children[i]) || isWhole(child) {
		n.Children = append(n.Children, child)
		return
	}
	for _, c := range child.Children {
		merge(n.Children[i], c)
	}
}

// isWhole reports a node without parts.
func isWhole(n *message.Node) bool { return len(n.Children) == 0 }

func (b *builder) newNode(s *language.MsgStep) *message.Node {
	n := &message.Node{Name: s.Name, Space: s.Space}
	b.satisfy(n, s)
	return n
}

// satisfy writes what a step's conditions ask.
func (b *builder) satisfy(n *message.Node, s *language.MsgStep) {
	for i := range s.Filters {
		if f := &s.Filters[i]; f.Is == nil {
			b.reach(n, f.Path).Value = f.Value
		}
	}
}

// reach follows steps, making what is missing.
func (b *builder) reach(n *message.Node, steps []language.MsgStep) *message.Node {
	for i := range steps {
		n = b.made(n, &steps[i])
	}
	return n
}

// find follows steps and returns the node, or nil.
func (b *builder) find(n *message.Node, steps []language.MsgStep) *message.Node {
	for i := 0; i < len(steps) && n != nil; i++ {
		n = b.child(n, &steps[i])
	}
	return n
}

func (b *builder) meets(n *message.Node, s *language.MsgStep) bool {
	for i := range s.Filters {
		// What a name asks of a repetition is not written yet: it is another one.
		if f := &s.Filters[i]; f.Is != nil || !has(b.find(n, f.Path), f.Value) {
			return false
		}
	}
	return true
}

func has(leaf *message.Node, value string) bool { return leaf != nil && leaf.Value == value }

// child returns the child that a step means, or nil.
func (b *builder) child(n *message.Node, s *language.MsgStep) *message.Node {
	if s.Self {
		return where(b.meets(n, s), n)
	}
	skip := s.Nth
	for _, c := range n.Children {
		if !isNamed(c, s.Name, s.Space) || !b.meets(c, s) {
			continue
		}
		if skip--; skip <= 0 {
			return c
		}
	}
	return where(s.Name == b.how.firstPart && b.unsplit(n), n)
}

// where is n, or nil where something does not hold of it.
func where(holds bool, n *message.Node) *message.Node {
	if holds {
		return n
	}
	return nil
}

// unsplit reports a part that is its own first part.
func (b *builder) unsplit(n *message.Node) bool {
	return b.how.firstPart != "" && isWhole(n) && n.Value != ""
}

// made is the child that a step means, made when it is missing.
func (b *builder) made(n *message.Node, s *language.MsgStep) *message.Node {
	if s.Self {
		return n
	}
	c := b.child(n, s)
	if c == nil {
		b.split(n)
		c = b.newNode(s)
		n.Children = append(n.Children, c)
	}
	return c
}

// split makes a part of what is its own first part, before it gets a second.
func (b *builder) split(n *message.Node) {
	if b.unsplit(n) {
		n.Children = append(n.Children, &message.Node{Name: b.how.firstPart, Value: n.Value})
		n.Value = ""
	}
}

// write sets the leaf at p, unless it has another value. Where a part has others, its first
// has its value.
func (b *builder) write(p *language.MsgPath, base *message.Node, text string) written {
	n := b.reach(b.from(p, base), p.Steps)
	for b.how.firstPart != "" && !isWhole(n) {
		n = b.made(n, &language.MsgStep{Name: b.how.firstPart})
	}
	// The same text stands there with its markup.
	if b.how.firstPart == "" && !isWhole(n) && language.TextOf(n) == text {
		return equal
	}
	return fill(&n.Value, text)
}

// finish numbers repetitions and puts children in the mapping's order.
func (b *builder) finish(m *language.Program) *message.Node {
	for i := range m.Numbers {
		b.number(&m.Numbers[i])
	}
	b.how.arrange(b.root, m.Shape)
	if len(b.positions) > 0 {
		b.restore(b.root)
	}
	return b.root
}

// restore puts repetitions that different blocks have written where they stood: each name's
// take the places that they have among their siblings, those without a position last.
func (b *builder) restore(n *message.Node) {
	at := map[[2]string][]int{}
	for i, c := range n.Children {
		b.restore(c)
		if name := [2]string{c.Space, c.Name}; b.positions[c] > 0 || at[name] != nil {
			at[name] = append(at[name], i)
		}
	}
	for _, places := range at {
		own := make([]*message.Node, len(places))
		for k, i := range places {
			own[k] = n.Children[i]
		}
		slices.SortStableFunc(own, func(x, y *message.Node) int { return b.position(x) - b.position(y) })
		for k, i := range places {
			n.Children[i] = own[k]
		}
	}
}

func (b *builder) position(n *message.Node) int {
	if p := b.positions[n]; p > 0 {
		return p
	}
	return math.MaxInt32
}

// number writes into a segment's field which of its repetitions it is.
func (b *builder) number(p *language.MsgPath) {
	count := 0
	for _, c := range b.root.Children {
		if c.Name == p.Steps[0].Name {
			count++
			field := &message.Node{Name: p.Steps[1].Name, Value: strconv.Itoa(count)}
			c.Children = append([]*message.Node{field}, c.Children...)
		}
	}
}

func sortByRank(n *message.Node, s *language.Shape) {
	slices.SortStableFunc(n.Children, func(a, b *message.Node) int {
		ra, _ := s.Rank(a.Name, a.Space)
		rb, _ := s.Rank(b.Name, b.Space)
		return ra - rb
	})
}

// tidyParts orders fields, components and subcomponents by number, and makes a leaf of a
// part that has only its first.
func tidyParts(n *message.Node) {
	slices.SortStableFunc(n.Children, func(a, b *message.Node) int { return atoi(a.Name) - atoi(b.Name) })
	for _, c := range n.Children {
		tidyParts(c)
		if len(c.Children) == 1 && c.Children[0].Name == "1" && isWhole(c.Children[0]) {
			c.Value, c.Children = c.Children[0].Value, nil
		}
	}
}

func atoi(s string) int {
	n, _ := strconv.Atoi(s)
	return n
}
