package engine

import (
	"slices"
	"strconv"

	"stafett/handover"
	"stafett/mappings/language"
	"stafett/message"
)

// open finds the node at steps, or makes one that is not yet in the tree. A "self" step
// is the parent itself, which then gets what the conditions ask.
func (r *fromRun) open(steps []language.MsgStep, parent *message.Node, fresh bool) (*message.Node, bool) {
	last := &steps[len(steps)-1]
	if !fresh {
		if n := r.find(parent, steps); n != nil {
			return n, false
		}
	}
	if last.Self {
		return &message.Node{Name: "self"}, true
	}
	return r.newNode(last), true
}

// graft puts a node that was made apart into the tree.
func (r *fromRun) graft(steps []language.MsgStep, parent, node *message.Node) {
	parent = r.reach(parent, steps[:len(steps)-1])
	last := &steps[len(steps)-1]
	if last.Self {
		for i := range last.Filters {
			r.setFilter(parent, &last.Filters[i])
		}
		for _, c := range node.Children {
			merge(parent, c)
		}
		return
	}
	r.split(parent)
	parent.Children = append(parent.Children, node)
}

// merge puts a child below n: into one of its name that has parts as well, else beside.
func merge(n, child *message.Node) {
	old := sameName(n, child)
	if old == nil || len(old.Children) == 0 || len(child.Children) == 0 {
		n.Children = append(n.Children, child)
		return
	}
	for _, c := range child.Children {
		merge(old, c)
	}
}

func sameName(n, child *message.Node) *message.Node {
	for _, c := range n.Children {
		if c.Name == child.Name && c.Space == child.Space {
			return c
		}
	}
	return nil
}

func (r *fromRun) newNode(s *language.MsgStep) *message.Node {
	n := &message.Node{Name: s.Name, Space: s.Space}
	for i := range s.Filters {
		r.setFilter(n, &s.Filters[i])
	}
	return n
}

func (r *fromRun) setFilter(n *message.Node, f *language.MsgFilter) {
	r.reach(n, f.Path).Value = f.Value
}

// reach follows steps, making what is missing.
func (r *fromRun) reach(n *message.Node, steps []language.MsgStep) *message.Node {
	for i := range steps {
		n = r.made(n, &steps[i])
	}
	return n
}

// find follows steps and returns the node, or nil.
func (r *fromRun) find(n *message.Node, steps []language.MsgStep) *message.Node {
	for i := range steps {
		if n = r.child(n, &steps[i]); n == nil {
			return nil
		}
	}
	return n
}

func (r *fromRun) meets(n *message.Node, s *language.MsgStep) bool {
	for i := range s.Filters {
		leaf := r.find(n, s.Filters[i].Path)
		if leaf == nil || leaf.Value != s.Filters[i].Value {
			return false
		}
	}
	return true
}

// child returns the child that a step means, or nil.
func (r *fromRun) child(n *message.Node, s *language.MsgStep) *message.Node {
	if s.Self {
		return r.ifMeets(n, s)
	}
	skip := s.Nth
	for _, c := range n.Children {
		if c.Name != s.Name || c.Space != s.Space || !r.meets(c, s) {
			continue
		}
		if skip--; skip <= 0 {
			return c
		}
	}
	if r.firstPart(n, s) {
		return n
	}
	return nil
}

func (r *fromRun) ifMeets(n *message.Node, s *language.MsgStep) *message.Node {
	if r.meets(n, s) {
		return n
	}
	return nil
}

// firstPart reports an ER7 leaf that is its own first component.
func (r *fromRun) firstPart(n *message.Node, s *language.MsgStep) bool {
	return r.m.Wire == handover.WireHL7v2 && s.Name == "1" && len(n.Children) == 0 && n.Value != ""
}

// made is the child that a step means, made when it is missing.
func (r *fromRun) made(n *message.Node, s *language.MsgStep) *message.Node {
	if s.Self {
		return n
	}
	c := r.child(n, s)
	if c == nil {
		r.split(n)
		c = r.newNode(s)
		n.Children = append(n.Children, c)
	}
	return c
}

// split turns an ER7 leaf into its own first component, before it gets a second.
func (r *fromRun) split(n *message.Node) {
	if r.m.Wire == handover.WireHL7v2 && n.Value != "" && len(n.Children) == 0 {
		n.Children = append(n.Children, &message.Node{Name: "1", Value: n.Value})
		n.Value = ""
	}
}

// write sets the leaf at p, unless it has another value.
func (r *fromRun) write(p *language.MsgPath, base *message.Node, text string) written {
	n := r.reach(r.start(p, base), p.Steps)
	for r.m.Wire == handover.WireHL7v2 && len(n.Children) > 0 {
		n = r.made(n, &firstComponent)
	}
	return fill(&n.Value, text)
}

// firstComponent is where a part's value stands once the part has others.
var firstComponent = language.MsgStep{Name: "1"}

// finish numbers repetitions and puts children in the mapping's order.
func (r *fromRun) finish() {
	for i := range r.m.Numbers {
		r.number(&r.m.Numbers[i])
	}
	if r.m.Wire != handover.WireHL7v2 {
		sortShape(r.root, r.m.Shape)
		return
	}
	sortByRank(r.root, r.m.Shape)
	for _, segment := range r.root.Children {
		tidyParts(segment, false)
	}
}

// number writes into a segment's field which of its repetitions it is.
func (r *fromRun) number(p *language.MsgPath) {
	count := 0
	for _, c := range r.root.Children {
		if c.Name == p.Steps[0].Name {
			count++
			field := &message.Node{Name: p.Steps[1].Name, Value: strconv.Itoa(count)}
			c.Children = append([]*message.Node{field}, c.Children...)
		}
	}
}

// sortShape orders an XML tree as the mapping's lines stand.
func sortShape(n *message.Node, s *language.Shape) {
	sortByRank(n, s)
	for _, c := range n.Children {
		_, inner := s.Rank(c.Name, c.Space)
		sortShape(c, inner)
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
func tidyParts(n *message.Node, part bool) {
	slices.SortStableFunc(n.Children, func(a, b *message.Node) int { return atoi(a.Name) - atoi(b.Name) })
	for _, c := range n.Children {
		tidyParts(c, true)
	}
	if part && len(n.Children) == 1 && n.Children[0].Name == "1" && len(n.Children[0].Children) == 0 {
		n.Value, n.Children = n.Children[0].Value, nil
	}
}

func atoi(s string) int {
	n, _ := strconv.Atoi(s)
	return n
}
