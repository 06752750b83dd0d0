package mappings

import (
	"slices"
	"strconv"

	"stafett/handover"
	"stafett/message"
)

// open finds the node at steps, or makes one that is not yet in the tree. A "self" step
// is the parent itself, which then gets what the conditions ask.
func (r *fromRun) open(steps []msgStep, parent *message.Node, fresh bool) (*message.Node, bool) {
	last := &steps[len(steps)-1]
	if !fresh {
		if n := r.find(parent, steps); n != nil {
			return n, false
		}
		if last.self {
			return &message.Node{Name: "self"}, true
		}
	}
	return r.newNode(last), true
}

// graft puts a node that was made apart into the tree.
func (r *fromRun) graft(steps []msgStep, parent, node *message.Node) {
	for i := range steps[:len(steps)-1] {
		parent = r.child(parent, &steps[i], true)
	}
	last := &steps[len(steps)-1]
	if last.self {
		for i := range last.filters {
			r.setFilter(parent, &last.filters[i])
		}
		parent.Children = append(parent.Children, node.Children...)
		return
	}
	r.split(parent)
	parent.Children = append(parent.Children, node)
}

func (r *fromRun) newNode(s *msgStep) *message.Node {
	n := &message.Node{Name: s.name, Space: s.space}
	for i := range s.filters {
		r.setFilter(n, &s.filters[i])
	}
	return n
}

func (r *fromRun) setFilter(n *message.Node, f *msgFilter) {
	for i := range f.path {
		n = r.child(n, &f.path[i], true)
	}
	n.Value = f.value
}

// find follows steps and returns the node, or nil.
func (r *fromRun) find(n *message.Node, steps []msgStep) *message.Node {
	for i := range steps {
		if steps[i].self {
			if !r.meets(n, &steps[i]) {
				return nil
			}
			continue
		}
		if n = r.child(n, &steps[i], false); n == nil {
			return nil
		}
	}
	return n
}

func (r *fromRun) meets(n *message.Node, s *msgStep) bool {
	for i := range s.filters {
		leaf := r.find(n, s.filters[i].path)
		if leaf == nil || leaf.Value != s.filters[i].value {
			return false
		}
	}
	return true
}

// child returns the child that a step means, and makes it when it is to be made.
func (r *fromRun) child(n *message.Node, s *msgStep, make bool) *message.Node {
	if s.self {
		return n
	}
	er7 := r.m.wire == handover.WireHL7v2
	matched := 0
	for _, c := range n.Children {
		if c.Name == s.name && c.Space == s.space && r.meets(c, s) {
			if matched++; s.nth == 0 || matched == s.nth {
				return c
			}
		}
	}
	if er7 && s.name == "1" && len(n.Children) == 0 && n.Value != "" {
		return n
	}
	if !make {
		return nil
	}
	r.split(n)
	c := r.newNode(s)
	n.Children = append(n.Children, c)
	return c
}

// split turns an ER7 leaf into its own first component, before it gets a second.
func (r *fromRun) split(n *message.Node) {
	if r.m.wire == handover.WireHL7v2 && n.Value != "" && len(n.Children) == 0 {
		n.Children = append(n.Children, &message.Node{Name: "1", Value: n.Value})
		n.Value = ""
	}
}

// write sets the leaf at p, unless it has another value.
func (r *fromRun) write(p *msgPath, base *message.Node, text string) written {
	n := base
	if p.absolute {
		n = r.root
	}
	for i := range p.steps {
		n = r.child(n, &p.steps[i], true)
	}
	for r.m.wire == handover.WireHL7v2 && len(n.Children) > 0 {
		first := n.Child("1")
		if first == nil {
			first = &message.Node{Name: "1"}
			n.Children = append(n.Children, first)
		}
		n = first
	}
	if n.Value != "" {
		return compareText(n.Value, text)
	}
	n.Value = text
	return wrote
}

// finish numbers repetitions and puts children in the mapping's order.
func (r *fromRun) finish() {
	for i := range r.m.numbers {
		p := &r.m.numbers[i]
		count := 0
		for _, c := range r.root.Children {
			if c.Name == p.steps[0].name {
				count++
				field := &message.Node{Name: p.steps[1].name, Value: strconv.Itoa(count)}
				c.Children = append([]*message.Node{field}, c.Children...)
			}
		}
	}
	if r.m.wire == handover.WireHL7v2 {
		sortByRank(r.root, r.m.shape)
		for _, segment := range r.root.Children {
			tidyParts(segment, false)
		}
		return
	}
	sortShape(r.root, r.m.shape)
}

// sortShape orders an XML tree as the mapping's lines stand.
func sortShape(n *message.Node, s *shape) {
	sortByRank(n, s)
	for _, c := range n.Children {
		_, inner := s.rank(c.Name, c.Space)
		sortShape(c, inner)
	}
}

func sortByRank(n *message.Node, s *shape) {
	slices.SortStableFunc(n.Children, func(a, b *message.Node) int {
		ra, _ := s.rank(a.Name, a.Space)
		rb, _ := s.rank(b.Name, b.Space)
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
